"""The API's routes: what is asked, who may ask it, and who answers."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from zimun_sync.sandbox.api.answers import encoded, json_answer, refusal_answer
from zimun_sync.sandbox.api.auth import TokenRefused, Tokens
from zimun_sync.sandbox.api.calls import Call
from zimun_sync.sandbox.api.gate import Gate, Handler
from zimun_sync.sandbox.api.webhooks import Webhooks
from zimun_sync.sandbox.world.collection import Collection
from zimun_sync.sandbox.world.facts import read_facts
from zimun_sync.sandbox.world.orders import (
    CancelOrder,
    ChangeOrder,
    ConfirmOrder,
    HoldOrder,
    RescheduleOrder,
    WebhookOrder,
    parse,
)
from zimun_sync.sandbox.world.problem import invalid, not_found
from zimun_sync.sandbox.world.schedule import Question
from zimun_sync.sandbox.world.world import World

PREFIX = "/api/v1"

_READ, _WRITE, _ORGANIZATION = "appointments:read", "appointments:write", "org:read"
#: Lists by name with the scope that reading them takes, the busiest first.
_LISTS = {
    "appointments": _READ,
    "services": _ORGANIZATION,
    "staff": _ORGANIZATION,
    "resources": _ORGANIZATION,
    "locations": _ORGANIZATION,
}


@dataclass(frozen=True, slots=True)
class Api:
    """Everything the Zimun API offers.

    Args:
        world: what it is about.
        tokens: who may use it.
        webhooks: who is told of changes.
        gate: the way in.
    """

    world: World
    tokens: Tokens
    webhooks: Webhooks
    gate: Gate

    def routes(self) -> list[Route]:
        """All routes; literal paths come before those with an identifier."""
        return [*self._lists(), *self._bookings(), *self._records(), *self._others()]

    def _lists(self) -> Iterator[Route]:
        for stream, scope in _LISTS.items():
            yield Route(f"{PREFIX}/{stream}", self.gate.listing(stream, scope), methods=["GET"])

    def _bookings(self) -> Iterator[Route]:
        yield self._route("POST", "/appointments/hold", "hold", self._hold)
        yield self._route("DELETE", "/appointments/hold/{key}", "release", self._release)
        yield self._route("POST", "/appointments/hold/{key}/release", "release", self._release)
        yield self._route("POST", "/appointments/confirm", "confirm", self._confirm)
        yield self._route("POST", "/appointments/reschedule", "reschedule", self._reschedule)
        yield self._route("POST", "/appointments/cancel", "cancel", self._cancel)
        yield self._route("PATCH", "/appointments/{key}", "change", self._change)

    def _records(self) -> Iterator[Route]:
        for stream, scope in _LISTS.items():
            handler = _by_id(self.world.collections[stream], stream)
            yield self._route("GET", f"/{stream}/{{key}}", f"{stream}/id", handler, scope)

    def _others(self) -> Iterator[Route]:
        token = self.gate.open("token", self._token)
        yield Route("/oauth/token", token, methods=["POST"])
        availability = "availability"
        yield self._route(
            "GET", "/availability", availability, self._availability, f"{availability}:read"
        )
        yield self._route("GET", "/organization", "organization", self._organization, _ORGANIZATION)
        yield self._route("POST", "/webhooks", "webhooks", self._register)
        yield self._route("GET", "/webhooks", "webhooks", self._registered)
        yield self._route("DELETE", "/webhooks/{key}", "webhooks", self._unregister)

    def _route(
        self, method: str, path: str, target: str, handle: Handler, scope: str = _WRITE
    ) -> Route:
        endpoint = self.gate.guarded(target, handle, scope)
        return Route(PREFIX + path, endpoint, methods=[method])

    def _token(self, call: Call) -> Response:
        try:
            answer = json_answer(self.tokens.issue(call.authorization, call.body))
        except TokenRefused as refusal:
            return refusal_answer(refusal)
        answer.headers["cache-control"] = "no-store"
        return answer

    def _organization(self, _call: Call) -> Response:
        return json_answer(self.world.catalog.organization)

    def _availability(self, call: Call) -> Response:
        query = call.request.query_params
        days = query.get("days_ahead", "7")
        if not (days.isascii() and days.isdigit()):
            raise invalid("days_ahead must be a whole number.")
        if "service_id" not in query:
            raise invalid("service_id is missing.")
        question = Question(
            query["service_id"], int(days), query.get("staff_id"), query.get("location_id")
        )
        return json_answer(self.world.bookings.schedule.availability(question))

    def _hold(self, call: Call) -> Response:
        return json_answer(self.world.bookings.hold(parse(call.json, HoldOrder)), 201)

    def _release(self, call: Call) -> Response:
        self.world.bookings.release(_key(call))
        return Response(status_code=204)

    def _confirm(self, call: Call) -> Response:
        return _booked(self.world.bookings.confirm(parse(call.json, ConfirmOrder)), 201)

    def _change(self, call: Call) -> Response:
        order = parse(call.json, ChangeOrder)
        return _booked(self.world.bookings.change(_key(call), order))

    def _reschedule(self, call: Call) -> Response:
        order = parse(call.json, RescheduleOrder)
        change = ChangeOrder(order.appointment_time, order.appointment_duration)
        return _booked(self.world.bookings.change(order.key(), change))

    def _cancel(self, call: Call) -> Response:
        order = parse(call.json, CancelOrder)
        return _booked(self.world.bookings.change(order.key(), ChangeOrder(status="cancelled")))

    def _register(self, call: Call) -> Response:
        webhook = self.webhooks.register(parse(call.json, WebhookOrder))
        return json_answer(webhook.describe() | {"secret": webhook.secret}, 201)

    def _registered(self, _call: Call) -> Response:
        items = [webhook.describe() for webhook in self.webhooks.registered()]
        return json_answer({"items": items, "next_page_token": None})

    def _unregister(self, call: Call) -> Response:
        self.webhooks.remove(_key(call))
        return Response(status_code=204)


def _key(call: Call) -> str:
    key: str = call.request.path_params["key"]
    return key


def _by_id(collection: Collection, stream: str) -> Handler:
    def handle(call: Call) -> Response:
        item = collection.get(_key(call))
        if item is None:
            raise not_found(f"{_key(call)!r} among {stream}")
        return encoded(item)

    return handle


def _booked(item: bytes, status: int = 200) -> Response:
    """An appointment, which the API's later revision calls a booking."""
    return json_answer({"booking_id": read_facts(item).key, **msgspec.json.decode(item)}, status)
