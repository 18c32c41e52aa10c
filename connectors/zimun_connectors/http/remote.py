"""Any system with a JSON API as a `Remote`, by the requests of its settings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from zimun_connectors.http.abilities import abilities_of
from zimun_connectors.http.channel import Channel, Expression
from zimun_connectors.http.config import HttpSettings
from zimun_connectors.http.lookups import Hit, Lookups
from zimun_connectors.http.requests import WriteSettings
from zimun_connectors.http.sections import HttpObjectSettings
from zimun_connectors.http.spelling import Fields, Spelling
from zimun_connectors.http.writes import Work, Writes
from zimun_sync.errors import SinkBroken
from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.calls import Caller
from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    By,
    Found,
    Item,
    Kind,
    Outcome,
    Owner,
    Pair,
    RemoteContext,
)
from zimun_sync.remotes.names import FURTHER, REFERENCES

#: Names of a mapping that a row may lack, so that templates find them empty.
_EMPTY_ROW: Final[Mapping[str, Any]] = {
    **dict.fromkeys(column.name for column in APPOINTMENTS.columns),
    **dict.fromkeys(FURTHER),
    **dict.fromkeys(REFERENCES),
}
_EMPTY_REFERENCES: Final = {
    name: dict.fromkeys(column.name for column in stream.columns)
    for name, stream in REFERENCES.items()
}


class _Objects:
    """The requests of one kind.

    Args:
        kind: of objects.
        settings: of the sink.
        channel: the way to the system.
    """

    def __init__(self, kind: Kind, settings: HttpSettings, channel: Channel) -> None:
        section: HttpObjectSettings = getattr(settings, kind.value)
        self.fields = Fields(section, channel.spelling, channel.constants)
        self.find = {
            by: Lookups(f"{kind}.find.{by}", getattr(section.find, by.value), channel) for by in By
        }
        self.read = Lookups(f"{kind}.read", section.read, channel, by_id=True)
        self.create = Writes(
            f"{kind}.create",
            section.create,
            channel,
            creates=True,
            token_header=settings.idempotency_header,
        )
        self.update = Writes(f"{kind}.update", section.update, channel)


class HttpRemote:
    """One system with a JSON API.

    Args:
        settings: of the sink.
        caller: sends requests to it.
    """

    def __init__(self, settings: HttpSettings, caller: Caller) -> None:
        channel = Channel(caller, settings.headers, settings.constants, Spelling(settings.spelling))
        self._settings = settings
        self._channel = channel
        self._kinds = {kind: _Objects(kind, settings, channel) for kind in Kind}
        self._abilities = abilities_of(settings)

    @property
    def abilities(self) -> Abilities:
        """What its requests can do."""
        return self._abilities

    def connect(self, context: RemoteContext) -> Account:
        """Ask whose system it is."""
        self._channel.caller.begin(context.called, context.stop)
        self._channel.begin()
        settings = self._settings.account
        if settings is None or settings.constant is not None:
            name = settings.constant if settings else None
            return Account(name or "", name or "")
        hits = list(Lookups("account", (settings,), self._channel).run([""]))
        if len(hits) != 1:
            raise SinkBroken(
                f"account: the answer names {len(hits)} accounts instead of one.",
                hint="Correct account.results and account.id.",
            )
        label = settings.label and Expression("account.label", settings.label).of(hits[0].names)
        return Account(hits[0].id, str(label or hits[0].id))

    def prepare(self) -> None:
        """Send the requests of `prepare`."""
        self._channel.begin()
        work = Work("prepare", self._channel.names(id="prepare"))
        for outcome in Writes("prepare", self._settings.prepare, self._channel).run([work]):
            message = getattr(outcome, "message", "")
            if message:
                raise SinkBroken(f"prepare was refused: {message}", hint="Correct `prepare`.")

    def close(self) -> None:
        """Let go of connections."""
        self._channel.caller.close()

    # -- reading ----------------------------------------------------------------------------

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Sequence[Found]]:
        """Objects by key, e-mail address or phone number; none where no request looks so."""
        self._channel.begin()
        objects = self._kinds[kind]
        asked = {_comparable(by, value): value for value in values}
        found: dict[str, list[Found]] = {}
        for hit in objects.find[by].run(values, fields) if objects.find[by] else ():
            value = asked.get(_comparable(by, hit.asked))
            # A search may answer more than was asked for.
            if value is not None:
                found.setdefault(value, []).append(_found(objects, hit, fields))
        return found

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Found]:
        """Objects by id."""
        self._channel.begin()
        objects = self._kinds[kind]
        hits = objects.read.run(ids, fields)
        return {hit.asked: _found(objects, hit, fields) for hit in hits if hit.asked in ids}

    # -- writing ----------------------------------------------------------------------------

    def create(self, kind: Kind, items: Sequence[Item]) -> Sequence[Outcome]:
        """Create objects."""
        return self._write(kind, self._kinds[kind].create, items)

    def update(self, kind: Kind, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write fields of objects."""
        return self._write(kind, self._kinds[kind].update, items)

    def _write(self, kind: Kind, writes: Writes, items: Iterable[Item]) -> list[Outcome]:
        self._channel.begin()
        return writes.run([self._work(kind, item) for item in items])

    def _work(self, kind: Kind, item: Item) -> Work:
        row = {**_EMPTY_ROW, **item.row}
        references = {name: row[name] or empty for name, empty in _EMPTY_REFERENCES.items()}
        names = self._channel.names(
            **{
                **row,
                **references,
                "key": item.key,
                "id": item.id,
                "version": item.version,
                "token": item.token,
                "contact_id": item.contact_id,
                "retied": item.retied,
                "fields": self._kinds[kind].fields.written(item.fields),
            }
        )
        return Work(item.key, names, item.token)


class _Cancelling(HttpRemote):
    """A system that cancels by a request of its own."""

    def cancel(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Cancel appointments."""
        writes = Writes("appointment.cancel", self._settings.appointment.cancel, self._channel)
        return self._write(Kind.APPOINTMENT, writes, items)


class _Archiving(HttpRemote):
    """A system that takes appointments away again."""

    def archive(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Archive or delete appointments."""
        writes = Writes("appointment.archive", self._settings.appointment.archive, self._channel)
        return self._write(Kind.APPOINTMENT, writes, items)


class _Linking(HttpRemote):
    """A system that ties appointments to contacts by requests of their own."""

    def link(self, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Tie each appointment to its contact."""
        return self._tie("link", pairs)

    def unlink(self, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Undo it."""
        return self._tie("unlink", pairs)

    def _tie(self, operation: str, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        self._channel.begin()
        steps: Sequence[WriteSettings] = getattr(self._settings.appointment, operation)
        works = [
            Work(
                pair.key,
                self._channel.names(
                    key=pair.key, id=pair.appointment_id, contact_id=pair.contact_id
                ),
            )
            for pair in pairs
        ]
        return Writes(f"appointment.{operation}", steps, self._channel).run(works)


class _Owning(HttpRemote):
    """A system whose appointments belong to users."""

    def owners_by_email(self, emails: Sequence[str]) -> Mapping[str, Owner]:
        """Users by lower-case e-mail address."""
        return self._owners("email", emails)

    def owners_by_id(self, ids: Sequence[str]) -> Mapping[str, Owner]:
        """Users by id."""
        return self._owners("id", ids)

    def _owners(self, by: str, values: Sequence[str]) -> Mapping[str, Owner]:
        self._channel.begin()
        steps = getattr(self._settings.owners.find, by)
        place = f"owners.find.{by}"
        active = Expression(f"{place}.active", steps[-1].active)
        hits = Lookups(place, steps, self._channel, by_id=by == "id").run(values)
        asked = {value.lower(): value for value in values}
        return {
            asked[hit.asked.lower()]: Owner(hit.id, bool(active.of(hit.names)))
            for hit in hits
            if hit.asked.lower() in asked
        }


def http_remote(settings: HttpSettings, caller: Caller) -> HttpRemote:
    """The remote of a section, with those optional abilities that it has requests for."""
    appointment = settings.appointment
    wanted: list[tuple[type[HttpRemote], object]] = [
        (_Cancelling, appointment.cancel),
        (_Archiving, appointment.archive),
        (_Linking, appointment.link),
        (_Owning, settings.owners.find.email),
    ]
    bases = tuple(base for base, requests in wanted if requests)
    made: type[HttpRemote] = type("HttpRemote", bases or (HttpRemote,), {})
    return made(settings, caller)


def _comparable(by: By, value: str) -> str:
    return value.strip().lower() if by is By.EMAIL else value


def _found(objects: _Objects, hit: Hit, fields: Sequence[str]) -> Found:
    return Found(hit.id, objects.fields.read(hit.result, fields), hit.version)
