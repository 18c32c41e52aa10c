"""Builds calls below the base URL and runs them signed in; what the groups of calls stand on."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from zimun_sync.errors import RequestRefused
from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.exchange import Exchange, TokenSource
from zimun_sync.zimun.outcome import Purpose
from zimun_sync.zimun.settings import ClientSettings
from zimun_sync.zimun.wire import Call, Reply

T = TypeVar("T")

#: What an Idempotency-Key may be: printable ASCII, so that it fits in a header.
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

#: The scope of every call that changes something.
WRITE: Final = "appointments:write"
#: The scope of slots and holidays.
AVAILABILITY: Final = "availability:read"

#: Fields of a body that are nobody else's business: a person's data, and secrets.
_PRIVATE: Final = ("contact_", "secret", "url")


class Api:
    """Runs calls of one organization; safe to share between threads.

    Args:
        settings: where the API is and what is assumed of it.
        exchange: carries calls through.
        tokens: signs them.
    """

    def __init__(self, settings: ClientSettings, exchange: Exchange, tokens: TokenSource) -> None:
        self.settings = settings
        self._exchange = exchange
        self._tokens = tokens

    @property
    def clock_ahead(self) -> float:
        """Seconds that the server's clock is ahead of ours, by its answers so far."""
        return self._exchange.clock_ahead

    def _get(
        self,
        path: str,
        parse: Callable[[Reply], T],
        query: Mapping[str, str] | None = None,
        purpose: Purpose = Purpose.OTHER,
        scope: str = "",
    ) -> T:
        url = self._url(path, query or {})
        return self._run(Call("GET", url, f"GET {path}", purpose, scope), parse)

    def _send(
        self,
        method: Literal["POST", "PATCH"],
        path: str,
        body: Mapping[str, Any],
        parse: Callable[[Reply], T],
        idempotency_key: str | None,
        *,
        purpose: Purpose = Purpose.OTHER,
    ) -> T:
        key = idempotency_key or uuid.uuid4().hex
        if not _KEY.fullmatch(key):
            msg = "An idempotency key is 1 to 255 printable ASCII characters without spaces."
            raise ValueError(msg)
        call = Call(
            method,
            self._url(path),
            f"{method} {path}",
            purpose,
            WRITE,
            headers=(("Content-Type", "application/json"), ("Idempotency-Key", key)),
            content=msgspec.json.encode(body),
            private=_private(body),
        )
        return self._run(call, parse)

    def _delete(self, path: str) -> None:
        self._run(Call("DELETE", self._url(path), f"DELETE {path}", scope=WRITE), nothing)

    def _run(self, call: Call, parse: Callable[[Reply], T]) -> T:
        return self._exchange.run(call, parse, self._tokens)

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        address = self.settings.base_url + path
        return f"{address}?{urlencode(query, quote_via=quote)}" if query else address


def typed(kind: type[T]) -> Callable[[Reply], T]:
    """A parser that reads answers as JSON of one type."""
    decoder = msgspec.json.Decoder(kind)
    return lambda reply: decode(reply.body, reply.content_type, decoder)


def nothing(reply: Reply) -> None:
    """A parser for answers whose content does not matter."""


def below(path: str, identifier: str) -> str:
    """The path of one thing in a collection; an identifier cannot lead out of it.

    Raises:
        RequestRefused: no path can be made of the identifier.
    """
    if identifier in {"", ".", ".."}:
        raise RequestRefused(
            f"{identifier!r} is no identifier that {path} could be asked for.",
            status=400,
            hint="Give the identifier as a listing shows it.",
        )
    return f"{path}/{quote(identifier, safe='')}"


def _private(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        value for key, value in body.items() if key.startswith(_PRIVATE) and isinstance(value, str)
    )
