"""Pages and the opaque tokens that lead from one to the next."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.collection import Collection
from zimun_sync.sandbox.world.problem import ApiProblem, invalid
from zimun_sync.sandbox.world.stamps import parse_instant

_SIGNATURE_BYTES = 9
#: The stream that can be asked for changes only.
_INCREMENTAL = "appointments"


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins, and the parameters its token is bound to.

    Args:
        stream: the list.
        start: position of the first record.
        size: the `page_size` asked for.
        since: the `updated_since` asked for, microseconds since the epoch.
        issued: when the token was made, seconds since the epoch; 0 when tokens live for ever.
        turn: tells tokens to the same place apart.
    """

    stream: str
    start: int
    size: int
    since: int | None = None
    issued: int = 0
    turn: int = 0

    @property
    def number(self) -> int:
        """Which page it is, from 1, if all pages before were full."""
        return self.start // self.size + 1


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a listing request.

    Args:
        cursor: what was asked for.
        items: encoded records.
        token: the next page's token, or None on the last page.
        keyless: leave `next_page_token` out altogether.
    """

    cursor: Cursor
    items: list[bytes]
    token: str | None
    keyless: bool = False

    def encode(self) -> bytes:
        """The answer's body."""
        end = b"}" if self.keyless else b',"next_page_token":%s}' % msgspec.json.encode(self.token)
        return b'{"items":[%s]%s' % (b",".join(self.items), end)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listing allows.

    Args:
        default_size: records a page when the request does not say.
        max_size: records a page at most, whatever the request says.
        token_ttl: life of page tokens, seconds; None: for ever.
    """

    default_size: int = 200
    max_size: int = 500
    token_ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads listing requests and answers them.

    Args:
        collections: the lists by name.
        limits: what they allow.
        now: the clock that tokens expire by.
        key: signs tokens; the same key keeps them good over a restart.
    """

    collections: Mapping[str, Collection]
    limits: Limits
    now: Now
    key: bytes = field(repr=False)

    def read(self, stream: str, query: Mapping[str, str]) -> Cursor:
        """The page that a request asks for.

        Raises:
            ApiProblem: 400, the page token is not ours or was made for other parameters;
                410, it has expired; 422, another parameter makes no sense.
        """
        size = _page_size(query.get("page_size"))
        since = _since(query.get("updated_since")) if stream == _INCREMENTAL else None
        token = query.get("page_token")
        if not token:
            return Cursor(stream, 0, size or self.limits.default_size, since)
        cursor = self._open(token)
        bound = (stream, size or cursor.size, since if "updated_since" in query else cursor.since)
        if bound != (cursor.stream, cursor.size, cursor.since):
            raise _bad_token("was made for other parameters")
        return cursor

    def page(self, cursor: Cursor) -> Page:
        """The page as it is now."""
        size = min(cursor.size, self.limits.max_size)
        window = self.collections[cursor.stream].window(cursor.start, size, since=cursor.since)
        token = None if window.next is None else self.seal(starting_at(cursor, window.next))
        return Page(cursor, window.items, token)

    def seal(self, cursor: Cursor) -> str:
        """The token for a page."""
        issued = int(self.now().timestamp()) if self.limits.token_ttl is not None else 0
        content = msgspec.json.encode(msgspec.structs.replace(cursor, issued=issued))
        return urlsafe_b64encode(self._sign(content) + content).decode().rstrip("=")

    def _open(self, token: str) -> Cursor:
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise _bad_token("is not one of ours") from None
        signature, content = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(content)):
            raise _bad_token("is not one of ours")
        cursor = msgspec.json.decode(content, type=Cursor)
        life = self.limits.token_ttl
        if life is not None and self.now().timestamp() - cursor.issued > life:
            raise expired_token(410)
        return cursor

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self.key, content, "sha256")[:_SIGNATURE_BYTES]


def starting_at(cursor: Cursor, start: int) -> Cursor:
    """The same listing's page that begins at `start`."""
    return msgspec.structs.replace(cursor, start=start, turn=0)


def expired_token(status: int) -> ApiProblem:
    """400 or 410: the listing has to start again."""
    return ApiProblem(status, "page-token-expired", "The page token has expired; start again.")


def _bad_token(why: str) -> ApiProblem:
    return ApiProblem(400, "bad-page-token", f"The page token {why}.")


def _page_size(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise invalid("page_size must be a whole number from 1.")
    return int(text)


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    instant = parse_instant(text)
    if instant is None:
        raise invalid("updated_since must be an ISO 8601 time with an offset.")
    return int(instant.timestamp() * 1_000_000)
