"""Pages of a listing: raw items, the token of the next page, and when all this was true."""

from datetime import datetime

import msgspec

from zimun_sync.errors import PageTokenCycle
from zimun_sync.network.body import BodyFault
from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.wire import Reply


class Page(msgspec.Struct, frozen=True):
    """One page as it came.

    Args:
        items: the raw JSON of each item, undecoded, so that a bad one stands alone. They share
            the page's memory: keep `bytes(item)` of what outlives the page.
        next_page_token: the token of the page after it; None on the last page.
        token: the token it was asked for with; None on the first page.
        requested_at: when the request was sent, aware UTC by the server's clock.
        received_at: when the answer began, likewise.
        size: bytes of the answer after decompression.
        correction: seconds that were added to our own clock to tell the server's.
    """

    items: list[msgspec.Raw]
    next_page_token: str | None
    token: str | None
    requested_at: datetime
    received_at: datetime
    size: int
    correction: float = 0.0


class _Envelope(msgspec.Struct):
    """A listing's answer. Both keys are required: without a token it may have been cut off."""

    items: list[msgspec.Raw]
    next_page_token: str | None


class Offered(msgspec.Struct):
    """An answer about availability: slots undecoded, and what is said of each holiday, by day."""

    slots: list[msgspec.Raw]
    holidays: dict[str, msgspec.Raw] | None = None


_OFFERED = msgspec.json.Decoder(Offered)
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ITEM = msgspec.json.Decoder(msgspec.Raw)


def listed(reply: Reply, token: str | None) -> Page:
    """The page in a listing's answer; BodyFault where it is not one."""
    envelope = decode(reply.body, reply.content_type, _ENVELOPE)
    return _page(reply, envelope.items, envelope.next_page_token or None, token)


def single(reply: Reply) -> Page:
    """An answer that is one object, as a page of one item; BodyFault where it is not one."""
    item = decode(reply.body, reply.content_type, _ITEM)
    if not bytes(item).startswith(b"{"):
        raise BodyFault("it is not an object")
    return _page(reply, [item], None, None)


def offered(reply: Reply) -> Page:
    """An answer about availability, as a page of one item; BodyFault where it is not one."""
    decode(reply.body, reply.content_type, _OFFERED)
    return single(reply)


def read_offered(page: Page) -> Offered:
    """What the only item of an answer about availability says."""
    return _OFFERED.decode(page.items[0])


def _page(
    reply: Reply, items: list[msgspec.Raw], next_page_token: str | None, token: str | None
) -> Page:
    times = (reply.requested_at, reply.received_at)
    return Page(items, next_page_token, token, *times, len(reply.body), reply.correction)


class TokenTrail:
    """The page tokens of one listing: a token seen before means that it runs in circles."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def follow(self, token: str | None, stream: str) -> None:
        """Take note of the token of the next page to fetch.

        Args:
            token: None stands for the first page.
            stream: the listing's name, for the message.

        Raises:
            PageTokenCycle: this listing had that token before.
        """
        mark = hash(token)
        if mark in self._seen:
            raise PageTokenCycle(
                f"page token cycle: the listing of {stream} names a page that it named before.",
                hint="The listing would never end: try again later and tell Zimun.",
            )
        self._seen.add(mark)
