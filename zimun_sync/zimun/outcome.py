"""The facts of one attempt at a call: all that deciding and error messages may know of it."""

from enum import StrEnum

from msgspec import Struct


class Purpose(StrEnum):
    """What a call is for, where the same status means different things."""

    SIGN_IN = "sign-in"  #: the token endpoint
    NEXT_PAGE = "next-page"  #: a listing, with a page token
    BOOKING = "booking"  #: takes a slot
    OTHER = "other"


class Fault(StrEnum):
    """What went wrong before there was an answer that can be used."""

    UNREACHABLE = "unreachable"  #: no connection was made
    UNTRUSTED = "untrusted"  #: the server's certificate does not prove who it is
    BROKEN = "broken"  #: the connection was lost, or silent for too long
    MALFORMED = "malformed"  #: an answer came, but not as promised
    TOO_LARGE = "too-large"  #: an answer is larger than is taken


class Outcome(Struct, frozen=True):
    """The facts of one attempt.

    Args:
        call: method and path, for messages; no query, for it may hold personal data.
        purpose: what the call is for.
        scope: the scope the call needs, where that is documented.
        status: HTTP status, None where none came.
        fault: what went wrong, None where a whole answer came.
        detail: in words what went wrong or what the API said, free of personal data.
        retry_after: the header of that name.
        date: the `Date` header.
        received: when the answer's head came, seconds since the epoch by our corrected clock.
    """

    call: str
    purpose: Purpose = Purpose.OTHER
    scope: str = ""
    status: int | None = None
    fault: Fault | None = None
    detail: str = ""
    retry_after: str | None = None
    date: str | None = None
    received: float = 0.0

    @property
    def reason(self) -> str:
        """Why the attempt failed, in a few words."""
        return self.detail if self.fault else f"HTTP {self.status}"
