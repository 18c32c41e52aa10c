"""What each kind of fault does to an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from starlette.responses import HTMLResponse, Response

from zimun_sync.sandbox.api.auth import Tokens
from zimun_sync.sandbox.api.calls import Call
from zimun_sync.sandbox.api.observed import Observed
from zimun_sync.sandbox.api.paging import Page, Pages, expired_token, starting_at
from zimun_sync.sandbox.faults import wire
from zimun_sync.sandbox.faults.fault import Fault
from zimun_sync.sandbox.world.clock import Clock
from zimun_sync.sandbox.world.collection import Collection
from zimun_sync.sandbox.world.problem import ApiProblem

#: Ten years, and a day that is over, in seconds.
_HUGE, _PAST = 315_360_000, -3600

_PHRASES = {429: "Too many requests; please wait.", 503: "Down for a moment."}


@dataclass(frozen=True, slots=True)
class Havoc:
    """Carries out faults.

    Args:
        tokens: whose tokens are revoked.
        pages: makes the page tokens of pages that lead astray.
        clock: tells `Retry-After` dates.
        observed: is told how long a client was asked to wait.
    """

    tokens: Tokens
    pages: Pages
    clock: Clock
    observed: Observed

    def instead(self, fault: Fault, call: Call) -> Response | None:
        """An answer in place of the right one, or None to go on after an intervention.

        Raises:
            ApiProblem: the answer is an error of the API's own kind.
        """
        match fault.kind:
            case "status":
                raise self._status(fault, call)
            case "revoke-token":
                self.tokens.revoke(call.authorization)
                return None
            case "expire-page-token":
                raise expired_token(fault.code or 410)
            case "html":
                return HTMLResponse("<!doctype html><title>Sign in</title><h1>Sign in</h1>")
            case "redirect":
                return Response(status_code=fault.code or 302, headers={"location": fault.to})
            case "drop":
                return wire.Hangup(call.request)
            case _:
                return wire.Hangup(call.request, after=fault.seconds)

    def page(self, fault: Fault, page: Page) -> Page:
        """A page with the fault in it."""
        match fault.kind:
            case "missing-next-page-token":
                return replace(page, keyless=True)
            case "empty-last-token":
                return page if page.token else replace(page, token="")
            case "repeat-page":
                return self._repeated(page)
            case "cycle":
                return replace(page, token=self._token_back(page, fault.back))
            case "drift":
                self._drift(page, fault.count)
                return page
            case _:
                broken = [_malformed(fault.what, number) for number in range(fault.count)]
                return replace(page, items=[*page.items, *broken])

    def wire(self, fault: Fault, call: Call, response: Response) -> Response:
        """The same answer on its way through a bad line."""
        match fault.kind:
            case "truncate":
                return wire.truncated(call.request, response, fault.mode, fault.keep)
            case "drip":
                return wire.dripping(response, fault.chunk, fault.seconds)
            case "gzip-bomb":
                return wire.gzip_bomb(response, fault.size)
            case _:
                return wire.padded(response, fault.size)

    def _status(self, fault: Fault, call: Call) -> ApiProblem:
        status = fault.code or 500
        headers = {}
        if fault.retry_after is not None:
            headers["retry-after"] = self._retry_after(fault.retry_after, call)
        message = _PHRASES.get(status, "Something went wrong.")
        return ApiProblem(status, f"http-{status}", message, headers=headers)

    def _retry_after(self, order: str, call: Call) -> str:
        match order.partition("+"):
            case ("past", _, _):
                return self.clock.http_date(ahead=_PAST)
            case ("huge", _, _):
                return str(_HUGE)
            case ("garbage", _, _):
                return "soon"
            case ("date", _, seconds):
                date = self.clock.http_date(ahead=float(seconds or 1))
                self.observed.asked_to_wait(call.target, parsedate_to_datetime(date).timestamp())
                return date
        wait = self.clock.now().timestamp() + float(order)
        self.observed.asked_to_wait(call.target, wait)
        return order

    def _repeated(self, page: Page) -> Page:
        """The page before, under a new token that leads to the page that was asked for."""
        cursor = page.cursor
        before = starting_at(cursor, max(0, cursor.start - cursor.size))
        again = msgspec.structs.replace(cursor, turn=cursor.turn + 1)
        return replace(self.pages.page(before), token=self.pages.seal(again))

    def _token_back(self, page: Page, pages: int) -> str:
        start = max(0, page.cursor.start - pages * page.cursor.size)
        return self.pages.seal(starting_at(page.cursor, start))

    def _drift(self, page: Page, count: int) -> None:
        """Lets records that were listed already and others that were not change places."""
        collection: Collection = self.pages.collections[page.cursor.stream]
        ahead = page.cursor.start + len(page.items)
        for step in range(min(count, ahead, collection.end - ahead)):
            collection.swap(step, collection.end - 1 - step)


def _malformed(what: str, number: int) -> bytes:
    if what == "not-object":
        return msgspec.json.encode(f"not an object {number}")
    record: dict[str, Any] = {
        "appointment_id": f"a_malformed_{what}_{number}",
        "appointment_time": "2026-03-02T10:00:00+01:00",
        "appointment_duration": 30,
        "status": "confirmed",
    }
    _SPOIL[what](record)
    return msgspec.json.encode(record)


_SPOIL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing-id": lambda record: record.pop("appointment_id"),
    "null-id": lambda record: record.update(appointment_id=None),
    "bad-time": lambda record: record.update(appointment_time="next Tuesday, ten-ish"),
    "wrong-types": lambda record: record.update(appointment_time=20260302, contact_name=[1]),
}
