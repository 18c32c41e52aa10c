"""A request to make and the answer it got."""

from datetime import datetime

from msgspec import Struct

from zimun_sync.zimun.outcome import Purpose


class Call(Struct, frozen=True):
    """A request to make.

    Args:
        method: HTTP method.
        url: the whole address, query included.
        name: how messages call it: method and path.
        purpose: what it is for.
        scope: the scope it needs, where that is documented.
        headers: headers of this call beside the general ones.
        content: the body, if any.
        private: values in it that a person entered, kept out of messages.
    """

    method: str
    url: str
    name: str
    purpose: Purpose = Purpose.OTHER
    scope: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    private: tuple[str, ...] = ()


class Reply(Struct, frozen=True):
    """An answer, read to its end.

    Args:
        content_type: the header of that name, empty where there is none.
        body: decompressed.
        requested_at: when the request was sent, UTC by the server's clock.
        received_at: when the answer began, likewise.
        correction: seconds that were added to our own clock for that.
    """

    content_type: str
    body: bytes
    requested_at: datetime
    received_at: datetime
    correction: float = 0.0
