"""A CalDAV calendar as a remote system: one resource an appointment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from zimun_connectors.caldav import dav
from zimun_connectors.caldav.answers import (
    MAY_NOT,
    MISSING,
    NOT_A_CALENDAR,
    etag,
    refused,
    unusable,
)
from zimun_connectors.caldav.config import CaldavSettings
from zimun_connectors.caldav.events import Edit, changed, made, uid_of, values
from zimun_connectors.caldav.properties import Unfit
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.auth import Basic, BearerToken
from zimun_sync.remotes.calls import Answer, Auth, Caller, Request
from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    By,
    Done,
    Exists,
    Found,
    Gone,
    Item,
    Kind,
    Linking,
    NotSent,
    Outcome,
    Refused,
    RemoteContext,
    Stale,
)
from zimun_sync.remotes.limits import limits_for

_BATCH: Final = 50
_ACCEPT: Final = {"Accept": "application/xml, text/xml, text/calendar"}
_XML: Final = {**_ACCEPT, "Content-Type": "application/xml; charset=utf-8"}
_ICS: Final = {**_ACCEPT, "Content-Type": "text/calendar; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class _Present:
    """A resource of the calendar as it is now: its entity tag and iCalendar text."""

    etag: str | None
    text: str


class CaldavRemote:
    """One calendar. Implements `Remote` and `Archives`.

    Args:
        settings: the sink's section.
    """

    abilities = Abilities(
        batch=_BATCH,
        linking=Linking.NONE,
        finds=frozenset({(Kind.APPOINTMENT, By.KEY)}),
        safe_creates=frozenset({Kind.APPOINTMENT}),
    )

    def __init__(self, settings: CaldavSettings) -> None:
        self._url = settings.url
        self._agent = settings.schedule_agent
        self._caller = _caller_of(settings)
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._may_write = True

    def connect(self, context: RemoteContext, /) -> Account:
        """Ask what the address is and who asks; see `Remote.connect`."""
        self._now = context.now
        self._caller.begin(context.called, context.stop)
        calendar = self._calendar()
        self._may_write = calendar.may_write
        address = urljoin(self._url, quote(calendar.path))
        user = calendar.principal or "unknown"
        return Account(f"{address} {user}", f"{calendar.display_name or address} ({user})")

    def prepare(self) -> None:
        """Make sure that writing is allowed; a calendar needs nothing else."""
        if not self._may_write:
            raise SinkBroken(f"{self._url}: this user may only read.", hint=MAY_NOT)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /
    ) -> Mapping[str, Sequence[Found]]:
        """Events by our key: what their address follows from."""
        if (kind, by) not in self.abilities.finds:
            return {}
        found = self.read(kind, [_name_of(key) for key in values], fields)
        return {key: [found[_name_of(key)]] for key in values if _name_of(key) in found}

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """Events by the name of their resource."""
        if kind is not Kind.APPOINTMENT:
            return {}
        return {
            name: Found(name, values(present.text, fields), present.etag)
            for name, present in self._present(ids).items()
        }

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Put events at their addresses, where nothing is yet."""
        _check(kind)
        outcomes: list[Outcome] = []
        try:
            for item in items:
                outcomes.append(self._create(item))  # noqa: PERF401 - what was done counts below
            return self._completed(outcomes)
        except NotSent as error:
            if not outcomes:
                raise
            # Of the call as a whole something was sent.
            msg, wait = error.message, error.retry_after
            raise SinkUnavailable(msg, retry_after=wait, hint=error.hint) from error

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Change fields of events, leaving the rest of each as it is."""
        _check(kind)
        present = self._present([_id_of(item) for item in items])
        outcomes = [self._update(item, present.get(_id_of(item))) for item in items]
        return self._completed(outcomes)

    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Delete events."""
        return [self._delete(item) for item in items]

    def _calendar(self) -> dav.Resource:
        answer = self._ask("PROPFIND", dav.about_calendar(), depth="0")
        found = self._resources(answer)
        if not found or not found[0].takes_events:
            raise SinkBroken(f"{self._url} is no calendar for events.", hint=NOT_A_CALENDAR)
        return found[0]

    def _present(self, names: Sequence[str]) -> dict[str, _Present]:
        """The resources of these names that are there."""
        if not names:
            return {}
        base = urlsplit(self._url).path
        answer = self._ask("REPORT", dav.multiget(base + quote(name) for name in names))
        return {
            each.name: _Present(each.etag, each.calendar_data)
            for each in self._resources(answer)
            if each.calendar_data is not None
        }

    def _ask(self, method: str, body: bytes, *, depth: str = "1") -> Answer:
        headers = {**_XML, "Depth": depth}
        return self._caller.call(Request(method, "", content=body, headers=headers))

    def _resources(self, answer: Answer) -> list[dav.Resource]:
        if answer.status != HTTPStatus.MULTI_STATUS:
            raise unusable(self._url, answer)
        try:
            return dav.resources(answer.body)
        except ValueError as error:
            msg = f"{self._url} answered what cannot be read: {error}"
            raise SinkUnavailable(msg, hint="Is there a proxy before the server?") from error

    def _create(self, item: Item) -> Outcome:
        try:
            text = made(item.key, self._edit(item))
        except Unfit as unfit:
            return Refused(item.key, unfit.code, unfit.message)
        name = _name_of(item.key)
        answer = self._put(name, text, {"If-None-Match": "*"})
        if answer.ok:
            return Done(item.key, name, etag(answer))
        if answer.status == HTTPStatus.PRECONDITION_FAILED and self._present([name]):
            return Exists(item.key, name)
        if answer.status == HTTPStatus.CONFLICT:
            return self._in_conflict(item, answer)
        if answer.status in MISSING:
            raise unusable(self._url, answer)
        return refused(self._url, item.key, answer)

    def _in_conflict(self, item: Item, answer: Answer) -> Outcome:
        """Its UID is there under another name, as when a program moved it, or nothing is."""
        if not dav.precondition(answer.body):
            raise unusable(self._url, answer)
        report = self._ask("REPORT", dav.with_uid(uid_of(item.key)))
        names = [each.name for each in self._resources(report)]
        return Exists(item.key, names[0]) if names else refused(self._url, item.key, answer)

    def _update(self, item: Item, present: _Present | None) -> Outcome:
        if present is None:
            return Gone(item.key)
        if item.version is not None and present.etag != item.version:
            return Stale(item.key)
        try:
            text = changed(present.text, self._edit(item))
        except Unfit as unfit:
            return Refused(item.key, unfit.code, unfit.message)
        answer = self._put(_id_of(item), text, {"If-Match": present.etag or "*"})
        if answer.ok:
            return Done(item.key, _id_of(item), etag(answer))
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return Stale(item.key)
        return Gone(item.key) if answer.status in MISSING else refused(self._url, item.key, answer)

    def _delete(self, item: Item) -> Outcome:
        answer = self._caller.call(Request("DELETE", quote(_id_of(item))))
        if answer.ok:
            return Done(item.key, _id_of(item))
        return Gone(item.key) if answer.status in MISSING else refused(self._url, item.key, answer)

    def _put(self, name: str, text: bytes, condition: Mapping[str, str]) -> Answer:
        headers = {**_ICS, **condition}
        return self._caller.call(Request("PUT", quote(name), content=text, headers=headers))

    def _completed(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with the entity tags that the server did not tell with its answer."""
        unknown = [each.id for each in outcomes if isinstance(each, Done) and each.version is None]
        present = self._present(unknown)
        return [
            Done(each.key, each.id, present[each.id].etag)
            if isinstance(each, Done) and each.id in present
            else each
            for each in outcomes
        ]

    def _edit(self, item: Item) -> Edit:
        return Edit(item.fields, item.row, self._now(), self._agent)


def _caller_of(settings: CaldavSettings) -> Caller:
    if settings.token is not None:
        auth: Auth = BearerToken(settings.token.get_secret_value())
    else:
        password = settings.password.get_secret_value() if settings.password else ""
        auth = Basic(settings.username or "", password)
    limits = limits_for(
        f"caldav {settings.url}", per_window=settings.calls_per_second, window_seconds=1.0
    )
    deadline = settings.request_deadline
    return Caller(settings.url, auth, limits, deadline=deadline, reach=settings.reach)


def _check(kind: Kind) -> None:
    if kind is not Kind.APPOINTMENT:
        raise ValueError("a calendar has no contacts")


def _name_of(key: str) -> str:
    return f"{uid_of(key)}.ics"


def _id_of(item: Item) -> str:
    if item.id is None:
        raise ValueError(f"{item.key}: an update needs an id")
    return item.id
