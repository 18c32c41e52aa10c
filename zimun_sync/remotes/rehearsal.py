"""A remote that reads through and writes nothing: what would be written is noted instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    Archives,
    By,
    Cancels,
    Done,
    Found,
    Item,
    Kind,
    KnowsOwners,
    Links,
    Outcome,
    Owner,
    Pair,
    Remote,
    RemoteContext,
)
from zimun_sync.sinks import FieldDifference, Planned

#: Begins the id of what would be created.
IMAGINED = "new:"


@dataclass(frozen=True, slots=True)
class Noted:
    """A write that was not made.

    Args:
        kind: of object.
        action: what would be done.
        key: our key of the appointment, or of the one whose contact it is.
        remote_id: its id there; None for what would be created.
        fields: what differs.
        contact_id: of a link, the contact's id there.
    """

    kind: Kind
    action: Planned
    key: str
    remote_id: str | None
    fields: tuple[FieldDifference, ...] = ()
    contact_id: str | None = None


@dataclass(slots=True)
class Rehearsal:
    """Stands in front of a remote for a preview.

    Args:
        remote: connected; only its reading methods are called.
        noted: what would have been written since it was last emptied.
    """

    remote: Remote
    noted: list[Noted] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _imagined: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def abilities(self) -> Abilities:
        """The remote's."""
        return self.remote.abilities

    def connect(self, context: RemoteContext, /) -> Account:
        """Connect the remote."""
        return self.remote.connect(context)

    def prepare(self) -> None:
        """Nothing: that would write."""

    def close(self) -> None:
        """Close the remote."""
        self.remote.close()

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /
    ) -> Mapping[str, Sequence[Found]]:
        """Look up there; what would have been created is known to memory."""
        return self.remote.find(kind, by, values, fields)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """Read there; what would have been created reads as it would be."""
        known = self._imagined
        imagined = {each: Found(each, known[each]) for each in ids if each in known}
        real = [each for each in ids if each not in known]
        return imagined | dict(self.remote.read(kind, real, fields) if real else {})

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Note what would be created."""
        for item in items:
            fields = tuple(FieldDifference(name, None, item.fields[name]) for name in item.fields)
            self.noted.append(Noted(kind, "create", _booking(item), None, fields))
            self._note_tie(item)
        ids = {item.key: f"{IMAGINED}{next(self._numbers)}" for item in items}
        self._imagined |= {ids[item.key]: dict(item.fields) for item in items}
        return [Done(key, each) for key, each in ids.items()]

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Note what would be updated, with the values that are there now."""
        names = sorted({name for item in items for name in item.fields})
        there = self.read(kind, [item.id for item in items if item.id], names)
        for item in items:
            found = there.get(item.id or "")
            fields = _differences(item, found.fields if found else {})
            cancels = kind is Kind.APPOINTMENT and bool(item.row.get("cancelled"))
            action: Planned = "cancel" if cancels else "update"
            if fields:
                self.noted.append(Noted(kind, action, _booking(item), item.id, fields))
            self._note_tie(item)
        return [Done(item.key, item.id or "", item.version) for item in items]

    def _note_tie(self, item: Item) -> None:
        """A contact that is written with the appointment, where it is another than before."""
        if item.retied and item.contact_id is not None:
            tie = Noted(Kind.APPOINTMENT, "link", item.key, item.id, (), item.contact_id)
            self.noted.append(tie)

    def _note(self, action: Planned, items: Sequence[Item]) -> list[Outcome]:
        self.noted += [Noted(Kind.APPOINTMENT, action, each.key, each.id) for each in items]
        return [Done(item.key, item.id or "", item.version) for item in items]


class _Cancelling(Rehearsal):
    def cancel(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Note what would be cancelled."""
        return self._note("cancel", items)


class _Archiving(Rehearsal):
    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Note what would be taken away."""
        return self._note("archive", items)


class _Linking(Rehearsal):
    def link(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Note what would be tied."""
        self.noted += [
            Noted(Kind.APPOINTMENT, "link", each.key, each.appointment_id, (), each.contact_id)
            for each in pairs
        ]
        return [Done(pair.key, pair.appointment_id) for pair in pairs]

    def unlink(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Nothing to note: the tie that takes its place is."""
        return [Done(pair.key, pair.appointment_id) for pair in pairs]


class _Owning(Rehearsal):
    remote: Any

    def owners_by_email(self, emails: Sequence[str], /) -> Mapping[str, Owner]:
        """Ask there."""
        found: Mapping[str, Owner] = self.remote.owners_by_email(emails)
        return found

    def owners_by_id(self, ids: Sequence[str], /) -> Mapping[str, Owner]:
        """Ask there."""
        found: Mapping[str, Owner] = self.remote.owners_by_id(ids)
        return found


_ABILITIES: tuple[tuple[type, type[Rehearsal]], ...] = (
    (Cancels, _Cancelling),
    (Archives, _Archiving),
    (Links, _Linking),
    (KnowsOwners, _Owning),
)


def rehearsal(remote: Remote) -> Rehearsal:
    """A rehearsal with the optional abilities of its remote."""
    bases = tuple(stand_in for ability, stand_in in _ABILITIES if isinstance(remote, ability))
    made: Rehearsal = type("Rehearsal", (*bases, Rehearsal), {})(remote)
    return made


def _booking(item: Item) -> str:
    key: str = item.row["key"]
    return key


def _differences(item: Item, present: Mapping[str, Any]) -> tuple[FieldDifference, ...]:
    return tuple(
        FieldDifference(name, present.get(name), wanted) for name, wanted in item.fields.items()
    )
