"""WebDAV and CalDAV bodies: what to ask, and what an answer says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

_D: Final = "{DAV:}"
_C: Final = "{urn:ietf:params:xml:ns:caldav}"
_WRITING: Final = frozenset({_D + "all", _D + "write", _D + "write-content", _D + "bind"})
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a multistatus answer.

    Args:
        path: its path, percent signs decoded.
        status: its own HTTP status, where it has one instead of properties.
        properties: the properties that were given, by qualified name.
    """

    path: str
    status: int | None
    properties: Mapping[str, ET.Element] = field(repr=False)

    @property
    def name(self) -> str:
        """The last part of the path, as it is within its calendar."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def etag(self) -> str | None:
        """The entity tag, quotes included."""
        return self._text(_D + "getetag")

    @property
    def calendar_data(self) -> str | None:
        """The iCalendar text."""
        return self._text(_C + "calendar-data")

    @property
    def display_name(self) -> str | None:
        """The name that people gave it."""
        return self._text(_D + "displayname")

    @property
    def principal(self) -> str | None:
        """Path of the user who asks."""
        held = self.properties.get(_D + "current-user-principal")
        href = None if held is None else held.findtext(_D + "href")
        return href and _path(href)

    @property
    def takes_events(self) -> bool:
        """Whether it is a calendar, and one that may hold events."""
        kind = self.properties.get(_D + "resourcetype")
        if kind is None or kind.find(_C + "calendar") is None:
            return False
        held = self.properties.get(_C + "supported-calendar-component-set")
        return held is None or any(each.get("name") == "VEVENT" for each in held)

    @property
    def may_write(self) -> bool:
        """Whether the user may write below it; true where the server does not say."""
        held = self.properties.get(_D + "current-user-privilege-set")
        granted = (
            [each.tag for each in held.findall(f"{_D}privilege/*")] if held is not None else []
        )
        return not granted or not _WRITING.isdisjoint(granted)

    def _text(self, name: str) -> str | None:
        held = self.properties.get(name)
        return None if held is None else (held.text or "").strip() or None


def about_calendar() -> bytes:
    """Body of the PROPFIND that asks what a calendar is and who asks."""
    body = ET.Element(_D + "propfind")
    _ask(
        body,
        _D + "resourcetype",
        _D + "displayname",
        _D + "current-user-principal",
        _D + "current-user-privilege-set",
        _C + "supported-calendar-component-set",
    )
    return _encoded(body)


def multiget(paths: Iterable[str]) -> bytes:
    """Body of the REPORT that asks for resources by path (percent signs encoded)."""
    body = ET.Element(_C + "calendar-multiget")
    _ask(body, _D + "getetag", _C + "calendar-data")
    for path in paths:
        ET.SubElement(body, _D + "href").text = path
    return _encoded(body)


def with_uid(uid: str) -> bytes:
    """Body of the REPORT that asks for the events of one UID."""
    body = ET.Element(_C + "calendar-query")
    _ask(body, _D + "getetag")
    calendar = ET.SubElement(ET.SubElement(body, _C + "filter"), _C + "comp-filter")
    calendar.set("name", "VCALENDAR")
    event = ET.SubElement(calendar, _C + "comp-filter", {"name": "VEVENT"})
    wanted = ET.SubElement(event, _C + "prop-filter", {"name": "UID"})
    ET.SubElement(wanted, _C + "text-match", {"collation": "i;octet"}).text = uid
    return _encoded(body)


def resources(body: bytes) -> list[Resource]:
    """The resources of a multistatus answer.

    Raises:
        ValueError: it is none.
    """
    root = _parsed(body)
    if root.tag != _D + "multistatus":
        raise ValueError("not a multistatus answer")
    return [_resource(each) for each in root.findall(_D + "response")]


def precondition(body: bytes) -> str:
    """The condition that a refusal names, such as `no-uid-conflict`; empty where it names none."""
    try:
        root = _parsed(body)
    except ValueError:
        return ""
    first = next(iter(root), None) if root.tag == _D + "error" else None
    return "" if first is None else first.tag.rpartition("}")[2]


def _ask(body: ET.Element, *names: str) -> None:
    wanted = ET.SubElement(body, _D + "prop")
    for name in names:
        ET.SubElement(wanted, name)


def _encoded(body: ET.Element) -> bytes:
    encoded: bytes = ET.tostring(body, encoding="utf-8", xml_declaration=True)
    return encoded


def _parsed(body: bytes) -> ET.Element:
    try:
        # Expat bounds the expansion of entities, and ElementTree loads no external ones.
        return ET.fromstring(body)  # noqa: S314
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _resource(response: ET.Element) -> Resource:
    status = response.findtext(_D + "status")
    return Resource(
        path=_path(response.findtext(_D + "href") or ""),
        status=None if status is None else _code(status),
        properties={
            held.tag: held
            for group in response.findall(_D + "propstat")
            if _code(group.findtext(_D + "status") or "") == _OK
            for held in group.findall(f"{_D}prop/*")
        },
    )


def _path(href: str) -> str:
    return unquote(urlsplit(href.strip()).path)


def _code(status: str) -> int:
    """The number in a line such as `HTTP/1.1 404 Not Found`; 0 where there is none."""
    number = [*status.split(maxsplit=2), "", ""][1]
    return int(number) if number.isdecimal() else 0
