"""A calendar for the connectors' contract: Radicale, with a proxy before it that can fail."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, cast
from urllib.parse import urlsplit

from icalendar import Calendar

from tests.caldav.conftest import settings_for
from tests.systems.proxy import Proxy, Sent, Told, proxied
from tests.systems.radicale import PersonsCalendar, Radicale
from zimun_connectors.caldav import connector
from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes import Lack, Lacking, SeenAppointment, SeenContact, Trouble

_WORDS: Final = "may not be in this calendar"
_REFUSAL: Final = (
    '<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:valid-calendar-data/>'
    f"<D:responsedescription>This text {_WORDS}</D:responsedescription></D:error>"
).encode()
_OUT_OF_ORDER: Final = Told(503, {"Content-Type": "text/html"}, b"<h1>Out of order</h1>")
_WRITING: Final = frozenset({"PUT", "DELETE"})
_numbers = count(1)


class Desk:
    """The calendar as people see it, and what can go wrong with it. Implements `RemoteSystem`.

    Args:
        server: that holds it.
        proxy: on the connector's way to it.
    """

    def __init__(self, server: Radicale, proxy: Proxy) -> None:
        self._server = server
        self._proxy = proxy
        self._writes = 0
        self._refused = ""
        self._trouble: Trouble | None = None
        self._home = self._calendar = _new_calendar(server)
        proxy.before, proxy.after = self._asked, self._answered

    @property
    def address(self) -> str:
        """The calendar's address on the way through the proxy."""
        return self._proxy.address + urlsplit(self._home.url).path

    @property
    def calendar(self) -> PersonsCalendar:
        """The calendar without a proxy."""
        return self._calendar

    def contacts(self) -> Sequence[SeenContact]:
        return []

    def appointments(self) -> Sequence[SeenAppointment]:
        return [_seen(event) for event in self._calendar.events()]

    def writes(self) -> int:
        return self._writes

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        raise Lacking("a calendar has no contacts")

    def add_user(self, email: str, *, active: bool = True) -> str:
        raise Lacking("an event belongs to the calendar")

    def merge(self, loser: str, winner: str, /) -> None:
        raise Lacking("a calendar has no contacts")

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        calendar, event = _parsed(self._calendar.text(object_id))
        names = {"title": "SUMMARY", "starts_at": "DTSTART", "ends_at": "DTEND"}
        for name, value in values.items():
            event.pop(names[name], None)
            event.add(names[name], value)
        self._calendar.put(object_id, calendar.to_ical())

    def delete(self, kind: Kind, object_id: str, /) -> None:
        self._calendar.delete(object_id)

    def swap_account(self) -> str:
        self._calendar = _new_calendar(self._server)
        return self._proxy.address + urlsplit(self._calendar.url).path

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        self._trouble = trouble

    def mend(self) -> None:
        self._trouble, self._refused = None, ""

    def refuse(self, text: str, /) -> str:
        self._refused = text
        return _WORDS

    # -- on the way ---------------------------------------------------------------------------

    def _asked(self, sent: Sent) -> Sent | Told:
        writes = sent.method in _WRITING
        self._writes += writes
        if self._trouble is Trouble.DOWN:
            return _OUT_OF_ORDER
        if writes and self._trouble is Trouble.UNAVAILABLE:
            self._trouble = None
            return _OUT_OF_ORDER
        if sent.method == "PUT" and self._refuses(sent):
            return Told(403, {"Content-Type": "application/xml"}, _REFUSAL)
        if sent.method == "PUT" and self._trouble is Trouble.IGNORES_START:
            sent = self._with_its_former_start(sent)
        home, here = (urlsplit(each.url).path for each in (self._home, self._calendar))
        return replace(sent, path=sent.path.replace(home, here))

    def _answered(self, sent: Sent, told: Told) -> Told | None:
        lost = {Trouble.COMMIT_THEN_500: _OUT_OF_ORDER, Trouble.TIMEOUT_AFTER_COMMIT: None}
        if sent.method not in _WRITING or self._trouble not in lost:
            return told
        trouble, self._trouble = self._trouble, None
        return lost[trouble]

    def _refuses(self, sent: Sent) -> bool:
        _, event = _parsed(sent.body)
        return bool(self._refused) and self._refused in str(event.get("SUMMARY"))

    def _with_its_former_start(self, sent: Sent) -> Sent:
        calendar, event = _parsed(sent.body)
        there = self._calendar.event(sent.path.rpartition("/")[2])
        event["DTSTART"] = there["DTSTART"]
        return replace(sent, body=calendar.to_ical())


class Harness:
    """A calendar of its own and sinks on it. Implements `RemoteHarness`.

    Args:
        server: that holds it; None: it runs at an address that another process told.
        address: there.
    """

    lacks = frozenset({Lack.CONTACTS, Lack.TWINS, Lack.MERGE, Lack.OWNERS, Lack.COMPLETED})
    fields: Mapping[str, str] = {"title": "summary"}

    def __init__(self, server: Radicale | None, address: str = "") -> None:
        self._stack = ExitStack()
        self.address = address
        self.system = cast(Desk, None)  # another process only makes sinks, and looks at nothing
        if server is not None:
            proxy = self._stack.enter_context(proxied(server.address))
            self.system = Desk(server, proxy)
            self.address = self.system.address

    def make(self, **settings: Any) -> Sink:
        return connector.build(settings_for(self.address, **settings), None)  # type: ignore[arg-type]

    def close(self) -> None:
        self._stack.close()


def _new_calendar(server: Radicale) -> PersonsCalendar:
    return server.calendar(f"desk-{next(_numbers)}")


def _parsed(text: str | bytes) -> tuple[Any, Any]:
    calendar = Calendar.from_ical(text)
    return calendar, calendar.walk("VEVENT")[0]


def _seen(event: Any) -> SeenAppointment:
    return SeenAppointment(
        id=f"{event['UID']}.ics",
        key=str(event["X-ZIMUN-KEY"]),
        starts_at=_in_utc(event["DTSTART"].dt),
        ends_at=_in_utc(event["DTEND"].dt) if "DTEND" in event else None,
        status=_status(event),
        contact_id=None,
        owner=None,
        title=str(event.get("SUMMARY", "")),
    )


def _status(event: Any) -> str:
    if event["STATUS"] == "CANCELLED":
        return "cancelled"
    return "no_show" if "No-show" in event.categories else "booked"


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
