"""The fields of an event beside its times: set and read by the names that a mapping uses."""

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any, Final

from icalendar import Event, vCalAddress

_CUSTOMER: Final = "X-ZIMUN-CUSTOMER"
_TEXTS: Final[Mapping[str, str]] = {
    "summary": "SUMMARY",
    "description": "DESCRIPTION",
    "location": "LOCATION",
    "status": "STATUS",
    "transparency": "TRANSP",
    "class": "CLASS",
}
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "status": frozenset({"TENTATIVE", "CONFIRMED", "CANCELLED"}),
    "transparency": frozenset({"OPAQUE", "TRANSPARENT"}),
    "class": frozenset({"PUBLIC", "PRIVATE", "CONFIDENTIAL"}),
}
_OWN: Final = re.compile(r"x-[a-z0-9-]+")
# XML cannot carry these, and iCalendar has no way to escape them.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

#: Fields that make up an event's times.
TIMES: Final = frozenset({"start", "end", "timezone"})
#: Names of all fields but a business's own, which begin with `x-`.
FIELDS: Final = TIMES | {*_TEXTS, "categories", "attendee", "organizer"}


def is_field(name: str) -> bool:
    """Whether an event has a field of that name."""
    return name in FIELDS or _OWN.fullmatch(name) is not None


class Unfit(ValueError):
    """An event cannot hold this value, or cannot be changed.

    Args:
        code: a word for it, with dashes.
        message: what is wrong, without the value.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def put(event: Event, name: str, value: Any, agent: str | None) -> None:
    """Set a field that is none of the times; None empties it.

    Args:
        event: changed in place.
        name: the field.
        value: what it is to hold.
        agent: who invites a customer written as attendee (SCHEDULE-AGENT); None: the server.

    Raises:
        Unfit: the field cannot hold that value.
    """
    match name:
        case "attendee":
            _put_customer(event, value, agent)
        case "organizer":
            _replace(event, "ORGANIZER", None if value is None else _address(name, value))
        case "categories":
            _replace(event, "CATEGORIES", None if value is None else _listed(value))
        case _:
            _put_text(event, name, value)


def value_of(event: Event, name: str) -> str | None:
    """The present value of a field that is none of the times; None where it is empty."""
    match name:
        case "attendee":
            return _shown(next(filter(_is_customer, _attendees(event)), None))
        case "organizer":
            return _shown(event.get("ORGANIZER"))
        case "categories":
            return ", ".join(event.categories) or None
        case _:
            held = event.get(_TEXTS.get(name) or name.upper())
            return None if held is None else str(held)


def _replace(event: Event, name: str, value: Any) -> None:
    event.pop(name, None)
    if value is not None:
        event.add(name, value)


def _put_text(event: Event, name: str, value: Any) -> None:
    allowed = _WORDS.get(name)
    if value is not None and allowed is not None and value not in allowed:
        raise Unfit(f"invalid-{name}", f"`{name}` should be one of {', '.join(sorted(allowed))}.")
    written = _TEXTS.get(name) or name.upper()
    _replace(event, written, None if value is None else _clean(value))


def _put_customer(event: Event, value: Any, agent: str | None) -> None:
    attendees = [each for each in _attendees(event) if not _is_customer(each)]
    if value is not None:
        attendees.append(_customer(value, agent))
    event.pop("ATTENDEE", None)
    for each in attendees:
        event.add("ATTENDEE", each)


def _customer(value: Any, agent: str | None) -> vCalAddress:
    customer = _address("attendee", value)
    customer.params["ROLE"] = "REQ-PARTICIPANT"
    customer.params[_CUSTOMER] = "TRUE"
    if agent is not None:
        customer.params["SCHEDULE-AGENT"] = agent
    return customer


def _is_customer(attendee: vCalAddress) -> bool:
    return _CUSTOMER in attendee.params


def _attendees(event: Event) -> list[vCalAddress]:
    held = event.get("ATTENDEE", [])
    return list(held) if isinstance(held, list) else [held]


def _address(name: str, value: Any) -> vCalAddress:
    display, address = parseaddr(_clean(value))
    if "@" not in address:
        raise Unfit(f"invalid-{name}", f"`{name}` should be an e-mail address.")
    held = vCalAddress(f"mailto:{address}")
    if display:
        held.params["CN"] = display.replace('"', "'")  # a parameter has no way to escape it
    return held


def _shown(held: Any) -> str | None:
    if held is None:
        return None
    address = re.sub("^mailto:", "", str(held), flags=re.IGNORECASE)
    name = held.params.get("CN")
    return f"{name} <{address}>" if name else address


def _listed(value: Any) -> list[str]:
    return [part.strip() for part in _clean(value).split(",") if part.strip()]


def _clean(value: Any) -> str:
    return _CONTROLS.sub("", str(value).replace("\r\n", "\n"))
