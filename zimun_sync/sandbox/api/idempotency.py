"""`Idempotency-Key`: a call that is repeated is answered, not done, again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from starlette.responses import Response

from zimun_sync.sandbox.api.calls import Call
from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.problem import invalid

#: How long a key is remembered.
_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Answered:
    fingerprint: bytes
    response: Response
    until: datetime


class Replays:
    """Remembers the answers to calls that bore an `Idempotency-Key`.

    Args:
        now: the clock that keys are forgotten by.
    """

    def __init__(self, now: Now) -> None:
        self._now = now
        self._answered: dict[str, _Answered] = {}

    def answer(self, call: Call, handle: Callable[[Call], Response]) -> Response:
        """The answer of `handle`, or the one already given to the same call.

        Refusals are remembered like successes: the same call gets the same answer.

        Raises:
            ApiProblem: 422, the key was used for another call.
        """
        key = call.request.headers.get("idempotency-key")
        if key is None or call.request.method not in ("POST", "PATCH"):
            return handle(call)
        fingerprint = _fingerprint(call)
        self._forget()
        known = self._answered.get(key)
        if known is not None:
            if known.fingerprint != fingerprint:
                raise invalid("This Idempotency-Key was used for another request.")
            return _copy(known.response, replayed=True)
        response = handle(call)
        self._answered[key] = _Answered(fingerprint, _copy(response), self._now() + _LIFE)
        return response

    def _forget(self) -> None:
        """Drops the keys whose time is over; the oldest come first."""
        now = self._now()
        while self._answered:
            oldest = next(iter(self._answered))
            if self._answered[oldest].until > now:
                return
            del self._answered[oldest]


def _fingerprint(call: Call) -> bytes:
    """The same for the same method, path and JSON, however the JSON is written."""
    body = msgspec.json.encode(call.json, order="sorted")
    line = f"{call.request.method} {call.request.url.path}\n".encode()
    return sha256(line + body).digest()


def _copy(response: Response, *, replayed: bool = False) -> Response:
    headers = {"idempotent-replayed": "true"} if replayed else None
    return Response(
        bytes(response.body), response.status_code, headers, response.headers.get("content-type")
    )
