"""Square's customers, bookings, catalog and team on loopback, by its public documentation."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import phonenumbers

from tests.http_connector.web import Call, JsonSystem, Reply

TOKEN: Final = "EAAA-square-token"
_VERSION: Final = "square-version"
_IMMUTABLE: Final = ("id", "location_id", "status")


class Refusal(Exception):
    """An error as Square words it."""

    def __init__(
        self, code: str, detail: str, *, status: int = 400, category: str = "INVALID_REQUEST_ERROR"
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = [{"category": category, "code": code, "detail": detail}]


class FakeSquare(JsonSystem):
    """A seller's account.

    Attributes:
        customers: by id.
        bookings: by id.
        team: team members by id.
        catalog: version of each item variation by id.
        merchant: the account's id.
        refused: a text that no value may hold.
        lagging: customers that searches do not see yet.
        ignores_start: whether a change of a start is ignored silently.
        written: how many objects were sent in calls that write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.customers: dict[str, dict[str, Any]] = {}
        self.bookings: dict[str, dict[str, Any]] = {}
        self.team: dict[str, dict[str, Any]] = {}
        self.catalog = {"VAR-CUT": 11, "VAR-COLOUR": 12}
        self.merchant = "MERCHANT-1"
        self.refused = ""
        self.lagging: set[str] = set()
        self.ignores_start = False
        self.written = 0
        self._numbers = count(1)
        self._seen: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def add_customer(self, **fields: Any) -> str:
        """A customer made by hand."""
        given = {name: value for name, value in fields.items() if value is not None}
        return str(self._made("CUST", self.customers, given)["id"])

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            refusal = Refusal("UNAUTHORIZED", "This request could not be authorized.", status=401)
            return Reply({"errors": refusal.errors}, 401)
        if _VERSION not in call.headers:
            return Reply({"errors": Refusal("BAD_REQUEST", "No Square-Version.").errors}, 400)
        try:
            return Reply(self._answer(call))
        except Refusal as refusal:
            return Reply({"errors": refusal.errors}, refusal.status)

    def _answer(self, call: Call) -> dict[str, Any]:
        match [call.method, *call.path.removeprefix("/v2/").split("/")]:
            case ["GET", "bookings"]:
                return {"bookings": self._listed(call.params)}
            case [method, "bookings", *rest]:
                return self._bookings(method, rest, call.body)
            case ["POST", "customers", operation]:
                return self._customers(operation, call.body)
            case [_, *names]:
                return self._rest(names, call.body)
        raise Refusal("NOT_FOUND", f"{call.path} is not there.", status=404)

    def _rest(self, names: list[str], body: Any) -> dict[str, Any]:
        match names:
            case ["merchants", "me"]:
                return {"merchant": {"id": self.merchant, "business_name": "Salon Ana"}}
            case ["catalog", "object", name]:
                return {"object": {"id": name, "version": self._variation(name)}}
            case ["team-members", "search"]:
                return self._team_page(body.get("cursor"))
            case ["team-members", member_id]:
                return {"team_member": _known(self.team, member_id)}
        raise Refusal("NOT_FOUND", f"{'/'.join(names)} is not there.", status=404)

    def _team_page(self, cursor: str | None) -> dict[str, Any]:
        """Two a page, so that pages are met."""
        members = sorted(self.team.values(), key=lambda member: str(member["id"]))
        start = int(cursor or 0)
        page: dict[str, Any] = {"team_members": members[start : start + 2]}
        return page if start + 2 >= len(members) else {**page, "cursor": str(start + 2)}

    # -- customers --------------------------------------------------------------------------

    def _customers(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        match operation:
            case "search":
                return self._searched(body["query"]["filter"])
            case "bulk-retrieve":
                ids = body["customer_ids"]
                return {"responses": {each: self._customer(each) for each in ids}}
            case "bulk-create":
                return self._each(body["customers"], self._create_customer)
            case "bulk-update":
                return self._each(body["customers"], self._update_customer)
        raise Refusal("NOT_FOUND", operation, status=404)

    def _customer(self, customer_id: str) -> dict[str, Any]:
        try:
            return {"customer": _known(self.customers, customer_id)}
        except Refusal as refusal:
            return {"errors": refusal.errors}

    def _searched(self, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        [(name, condition)] = wanted.items()
        value = condition["exact"]
        if name == "email_address" and "@" not in value:
            raise Refusal("INVALID_EMAIL_ADDRESS", "Not an e-mail address.")
        found = [
            customer
            for customer in self.customers.values()
            if _searchable(name, customer.get(name)) == _searchable(name, value)
            and customer["id"] not in self.lagging
        ]
        return {"customers": found} if found else {}

    def _each(self, rows: Mapping[str, Any], write: Any) -> dict[str, Any]:
        if not 1 <= len(rows) <= 100:
            raise Refusal("TOO_MANY_MAP_ENTRIES", "Between 1 and 100 entries are taken.")
        self.written += len(rows)
        responses: dict[str, Any] = {}
        for name, row in rows.items():
            try:
                self._check(row.values())
                responses[name] = {"customer": write(name, row)}
            except Refusal as refusal:
                responses[name] = {"errors": refusal.errors}
        return {"responses": responses}

    def _create_customer(self, token: str, row: dict[str, Any]) -> dict[str, Any]:
        if not any(row.get(name) for name in ("given_name", "email_address", "phone_number")):
            raise Refusal("NO_FIELDS_SET", "A customer needs a name, an e-mail or a phone.")
        return self._once(token, row, lambda: self._made("CUST", self.customers, row))

    def _update_customer(self, customer_id: str, row: dict[str, Any]) -> dict[str, Any]:
        customer = _known(self.customers, customer_id)
        _same_version(customer, row)
        return _changed(customer, row)

    # -- bookings ---------------------------------------------------------------------------

    def _bookings(self, method: str, rest: list[str], body: Any) -> dict[str, Any]:
        match [method, *rest]:
            case ["POST", "bulk-retrieve"]:
                return {"bookings": {each: self._booking(each) for each in body["booking_ids"]}}
            case ["GET", booking_id]:
                return {"booking": _known(self.bookings, booking_id)}
        self.written += 1
        match [method, *rest]:
            case ["POST"]:
                return {"booking": self._create_booking(body["idempotency_key"], body["booking"])}
            case ["PUT", booking_id]:
                return {"booking": self._update_booking(booking_id, body["booking"])}
            case ["POST", booking_id, "cancel"]:
                return {"booking": self._cancel_booking(booking_id, body["booking_version"])}
        raise Refusal("METHOD_NOT_ALLOWED", method, status=405)

    def _listed(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        first, last = (_instant(params[f"start_at_{end}"]) for end in ("min", "max"))
        return [
            booking
            for booking in self.bookings.values()
            if first <= booking["start_at"] <= last
            and booking["location_id"] == params["location_id"]
        ]

    def _booking(self, booking_id: str) -> dict[str, Any]:
        try:
            return {"booking": _known(self.bookings, booking_id)}
        except Refusal as refusal:
            return {"errors": refusal.errors}

    def _create_booking(self, token: str, row: dict[str, Any]) -> dict[str, Any]:
        self._check(row.values())
        for name in ("location_id", "start_at"):
            if not row.get(name):
                raise Refusal("MISSING_REQUIRED_PARAMETER", f"Missing {name}.")
        self._check_customer(row)
        self._check_segments(row["appointment_segments"])
        made = {**row, "start_at": _instant(row["start_at"]), "status": "ACCEPTED"}
        return self._once(token, row, lambda: self._made("BOOK", self.bookings, made))

    def _update_booking(self, booking_id: str, row: dict[str, Any]) -> dict[str, Any]:
        booking = _known(self.bookings, booking_id)
        self._check(row.values())
        _same_version(booking, row)
        if booking["status"].startswith("CANCELLED"):
            raise Refusal("BAD_REQUEST", "A cancelled booking cannot be changed.")
        for name in _IMMUTABLE:
            if name in row and row[name] != booking.get(name):
                raise Refusal("BAD_REQUEST", f"{name} cannot be changed.")
        self._check_customer(row)
        if "appointment_segments" in row:
            self._check_segments(row["appointment_segments"])
        if "start_at" in row:
            start = booking["start_at"] if self.ignores_start else _instant(row["start_at"])
            row = {**row, "start_at": start}
        return _changed(booking, row)

    def _cancel_booking(self, booking_id: str, version: int) -> dict[str, Any]:
        booking = _known(self.bookings, booking_id)
        _same_version(booking, {"version": version})
        if booking["status"] not in ("PENDING", "ACCEPTED"):
            raise Refusal("BAD_REQUEST", "This booking cannot be cancelled.")
        return _changed(booking, {"status": "CANCELLED_BY_SELLER"})

    def _check_customer(self, row: Mapping[str, Any]) -> None:
        if row.get("customer_id") and row["customer_id"] not in self.customers:
            refusal = Refusal("NOT_FOUND", "Customer was not found.", status=404)
            refusal.errors[0]["field"] = "booking.customer_id"
            raise refusal

    def _check_segments(self, segments: list[dict[str, Any]]) -> None:
        for segment in segments:
            for name in ("team_member_id", "service_variation_id", "service_variation_version"):
                if not segment.get(name):
                    raise Refusal("MISSING_REQUIRED_PARAMETER", f"Missing {name}.")
            if segment["service_variation_version"] != self._variation(
                segment["service_variation_id"]
            ):
                raise Refusal("CONFLICT", "The service has another version.", status=409)

    def _variation(self, name: str) -> int:
        if name not in self.catalog:
            raise Refusal("NOT_FOUND", f"Catalog object {name} is not there.", status=404)
        return self.catalog[name]

    # -- what both have ---------------------------------------------------------------------

    def _check(self, values: Iterable[Any]) -> None:
        if self.refused and any(self.refused in str(value) for value in values):
            raise Refusal("INVALID_VALUE", f"The value {self.refused} is not valid.")

    def _once(
        self, token: str, row: Mapping[str, Any], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """An idempotency key gives its first answer again, for the same content only."""
        if token in self._seen:
            content, made = self._seen[token]
            if content != row:
                raise Refusal("IDEMPOTENCY_KEY_REUSED", "The key was used for other content.")
            return made
        made = make()
        self._seen[token] = (dict(row), made)
        return made

    def _made(
        self, prefix: str, store: dict[str, dict[str, Any]], row: Mapping[str, Any]
    ) -> dict[str, Any]:
        made = {"id": f"{prefix}-{next(self._numbers)}", "version": 0, **row}
        store[made["id"]] = made
        return made


def _known(store: Mapping[str, dict[str, Any]], object_id: str) -> dict[str, Any]:
    if object_id not in store:
        raise Refusal("NOT_FOUND", f"{object_id} is not there.", status=404)
    return store[object_id]


def _same_version(present: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    if row.get("version", present["version"]) != present["version"]:
        raise Refusal("CONFLICT", "It was changed since that version.", status=409)


def _changed(present: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if value is None:
            present.pop(name, None)
        elif name != "version":
            present[name] = value
    present["version"] += 1
    return present


def _searchable(name: str, value: Any) -> str:
    text = str(value or "")
    if name == "phone_number" and text:
        number = phonenumbers.parse(text, "AT")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text.lower() if name == "email_address" else text


def _instant(text: str) -> str:
    """Square answers in its own spelling of RFC 3339."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
