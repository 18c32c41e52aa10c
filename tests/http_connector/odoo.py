"""Odoo's JSON-2 API on loopback: contacts, calendar events, users, and the fields they have."""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import phonenumbers

from tests.http_connector.web import Call, JsonSystem, Reply

TOKEN: Final = "odoo-api-key"
DATABASE: Final = "acme"
_FIELDS: Final = {
    "res.partner": {"name", "email", "phone", "active"},
    "calendar.event": {
        "name", "start", "stop", "description", "location", "active", "user_id", "partner_ids",
    },
    "res.users": {"login", "active"},
    "res.company": {"name"},
    "ir.model": {"model"},
}  # fmt: skip


class Refusal(Exception):
    """An error as Odoo words it."""

    def __init__(self, name: str, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"name": name, "message": message, "arguments": [message], "context": {}}


class FakeOdoo(JsonSystem):
    """A database with its records; every call is one transaction.

    Attributes:
        records: by model and id.
        fields: of each model.
        admin: whether the key's user may make fields.
        database: its name.
        refused: a text that no value may hold.
        ignores_start: whether a change of a start is ignored silently.
        written: how many objects were sent in calls that write.
        quiet: contexts that came with calls that write events.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in _FIELDS}
        self.fields = {name: set(fields) for name, fields in _FIELDS.items()}
        self.admin = True
        self.database = DATABASE
        self.refused = ""
        self.ignores_start = False
        self.written = 0
        self.quiet: list[Mapping[str, Any]] = []
        self._numbers = count(1)
        self.make("res.company", name="Salon Ana")
        for model in ("res.partner", "calendar.event"):
            self.make("ir.model", model=model)

    def make(self, model: str, /, **values: Any) -> int:
        """A record made by hand."""
        number = next(self._numbers)
        self.records[model][number] = {"id": number, "active": True, **values}
        return number

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply({"name": "werkzeug.exceptions.Unauthorized", "message": "Bad key"}, 401)
        if call.headers.get("x-odoo-database") != DATABASE:
            return Reply({"name": "odoo.exceptions.AccessError", "message": "No database"}, 403)
        model, method = call.path.removeprefix("/json/2/").split("/")
        try:
            return Reply(self._method(model, method, dict(call.body)))
        except Refusal as refusal:
            return Reply(refusal.body, refusal.status)

    def _method(self, model: str, method: str, body: dict[str, Any]) -> Any:
        context = body.pop("context", {})
        if model == "calendar.event" and method in ("create", "write"):
            self.quiet.append(context)
        match method:
            case "fields_get":
                known = self.fields[model] & set(body["allfields"])
                return {name: {"type": "char"} for name in known}
            case "search_read":
                return self._search_read(model, context, **body)
            case "create" if model == "ir.model.fields":
                return self._make_fields(**body)
            case "create":
                return self._create(model, **body)
            case "write":
                return self._write(model, **body)
            case "unlink":
                return self._unlink(model, **body)
        raise Refusal("AttributeError", f"The method {method} does not exist.", 404)

    def _make_fields(self, vals_list: list[dict[str, Any]]) -> list[int]:
        if not self.admin:
            raise Refusal("odoo.exceptions.AccessError", "Administrators make fields.", 403)
        for values in vals_list:
            model = self.records["ir.model"][values["model_id"]]["model"]
            self.fields[model].add(values["name"])
        return [next(self._numbers) for _ in vals_list]

    # -- reading ----------------------------------------------------------------------------

    def _search_read(
        self, model: str, context: Mapping[str, Any], **body: Any
    ) -> list[dict[str, Any]]:
        names = body["fields"]
        self._check_names(model, [*names, *(name for name, _, _ in body["domain"])])
        found = [
            record
            for record in self.records[model].values()
            if (record["active"] or context.get("active_test") is False)
            and all(self._meets(record, *term) for term in body["domain"])
        ]
        shown = [{"id": each["id"], **self._shown(each, names)} for each in found]
        return shown[: body.get("limit")]

    def _meets(self, record: Mapping[str, Any], name: str, operator: str, value: Any) -> bool:
        present = _computed(record, name)
        if operator == "=ilike":
            return str(present).lower() == str(value).lower()
        assert operator == "in"
        return present in value

    def _shown(self, record: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
        shown = {name: _computed(record, name) for name in names}
        if shown.get("user_id"):
            user = self.records["res.users"][shown["user_id"]]
            shown["user_id"] = [user["id"], user["login"]]
        return shown

    def _check_names(self, model: str, names: list[str]) -> None:
        known = self.fields[model] | {"id", "email_normalized", "phone_sanitized"}
        for name in names:
            if name not in known:
                raise Refusal("ValueError", f"Invalid field {name!r} on model {model!r}", 500)

    # -- writing ----------------------------------------------------------------------------

    def _create(self, model: str, vals_list: list[dict[str, Any]]) -> list[int]:
        self.written += len(vals_list)
        for values in vals_list:
            self._check(model, values)
            if model == "res.partner" and not values.get("name"):
                raise Refusal("odoo.exceptions.ValidationError", "Contacts require a name")
        return [self.make(model, **values) for values in vals_list]

    def _write(self, model: str, ids: list[int], vals: dict[str, Any]) -> bool:
        self.written += len(ids)
        for number in ids:
            if number not in self.records[model]:
                raise Refusal(
                    "odoo.exceptions.MissingError",
                    "Record does not exist or has been deleted.",
                    404,
                )
            self._check(model, vals)
        for number in ids:
            self._set(self.records[model][number], dict(vals))
        return True

    def _unlink(self, model: str, ids: list[int]) -> bool:
        self.written += len(ids)
        for number in ids:
            self.records[model].pop(number, None)
        return True

    def _set(self, record: dict[str, Any], values: dict[str, Any]) -> None:
        for command, number, _ in values.pop("partner_ids", []):
            there = record.setdefault("partner_ids", [])
            if command == 4 and number not in self.records["res.partner"]:
                raise Refusal(
                    "odoo.exceptions.ValidationError", "The operation cannot be completed."
                )
            kept = [each for each in there if each != number]
            record["partner_ids"] = [*kept, number] if command == 4 else kept
        if self.ignores_start:
            values.pop("start", None)
        record.update(values)

    def _check(self, model: str, values: Mapping[str, Any]) -> None:
        self._check_names(model, list(values))
        if values.get("user_id") and values["user_id"] not in self.records["res.users"]:
            raise Refusal("odoo.exceptions.MissingError", "There is no such user.", 404)
        if self.refused and any(self.refused in str(value) for value in values.values()):
            raise Refusal("odoo.exceptions.ValidationError", f"{self.refused} is not valid.")


def _computed(record: Mapping[str, Any], name: str) -> Any:
    match name:
        case "email_normalized":
            return str(record["email"]).lower() if record.get("email") else False
        case "phone_sanitized":
            return _e164(record["phone"]) if record.get("phone") else False
        case _:
            return record.get(name, False)


def _e164(text: str) -> str:
    number = phonenumbers.parse(text, "AT")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
