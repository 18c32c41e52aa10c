"""What a server's refusals mean: for one event, or for the calendar as a whole."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

from zimun_connectors.caldav import dav
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.calls import Answer
from zimun_sync.remotes.contract import Refused

NOT_A_CALENDAR: Final = (
    "Set `url` to the address of the calendar itself, as its server's settings show it."
)
MAY_NOT: Final = "Give this user the right to write to the calendar, or use another user."

#: Statuses of a resource that is not there.
MISSING: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})

_FULL: Final = "quota-not-exceeded"
#: Unless they name a condition that one event fails, these concern all of them.
_GENERAL: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED})
_GENERAL_CONDITIONS: Final = frozenset({"", "need-privileges", _FULL})


def etag(answer: Answer) -> str | None:
    """The entity tag, unless it is weak: one cannot make a request depend on that."""
    told = answer.headers.get("etag")
    return None if told is None or told.startswith("W/") else told


def refused(url: str, key: str, answer: Answer) -> Refused:
    """The refusal of one event.

    Raises:
        SinkBroken: the server would refuse every event.
        SinkUnavailable: it is locked for now.
    """
    condition = dav.precondition(answer.body)
    if answer.status == HTTPStatus.LOCKED:
        raise SinkUnavailable(f"{url}: an event is locked: {answer.remark()}")
    general = answer.status in _GENERAL and condition in _GENERAL_CONDITIONS
    if general or answer.status < HTTPStatus.BAD_REQUEST:
        raise unusable(url, answer)
    return Refused(key, condition or f"http-{answer.status}", answer.remark())


def unusable(url: str, answer: Answer) -> SinkBroken:
    """The error for an answer that no calendar gives, or only to somebody without rights."""
    return SinkBroken(f"{url} answered {answer.status}: {answer.remark()}", hint=_hint(url, answer))


def _hint(url: str, answer: Answer) -> str:
    location = answer.headers.get("location")
    if location:
        return f"The server points to {urljoin(url, location)}: set `url` to it."
    if dav.precondition(answer.body) == _FULL:
        return "The calendar's quota is used up: make room, then resume."
    return MAY_NOT if answer.status == HTTPStatus.FORBIDDEN else NOT_A_CALENDAR
