"""Erasing from a remote system what it holds about people who asked to be forgotten.

The sink has written their appointments without anything personal; but a field that an empty
value leaves alone still has its former one, and so has one that is only written once. Their
contacts are erased where the sink made them; one that was there before is a person's to erase,
and so is whatever people wrote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from zimun_sync.ids import IdState, Known, Lookup, Memory
from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.calling import halving, portions, read
from zimun_sync.remotes.contract import Done, Erases, Gone, Item, Kind, Remote
from zimun_sync.remotes.names import add_references, names_of
from zimun_sync.remotes.plan import Plan
from zimun_sync.remotes.planning import mark
from zimun_sync.remotes.tasks import MADE
from zimun_sync.remotes.values import coerced, same
from zimun_sync.sinks import Erasure, Forgotten

#: What a message names of each kind of thing at most.
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class _Due:
    """Fields of an appointment that are to be written, by name."""

    known: Known
    wanted: Mapping[str, Any]


@dataclass(slots=True)
class Forgetter:
    """Forgets people.

    Args:
        remote: connected.
        memory: the sink's.
        plan: what is written.
        lookup: the store's.
        account: of the remote, for people.
        left: what a person has to do, by what is to be done, with ids.
    """

    remote: Remote
    memory: Memory
    plan: Plan
    lookup: Lookup
    account: str
    left: dict[str, list[str]] = field(default_factory=dict)

    def forget(self, forgotten: Forgotten) -> Erasure:
        """Erase what can be erased, forget it here, and tell what is left.

        Raises:
            SinkUnavailable, SinkBroken: it comes again.
        """
        asked = {
            source: list(keys)
            for (source, stream), keys in forgotten.keys.items()
            if stream == APPOINTMENTS.name
        }
        appointments = {f"{source}/{key}" for source, keys in asked.items() for key in keys}
        contacts = self.memory.forgotten(appointments)
        held = self.memory.known(Kind.APPOINTMENT, appointments)
        for source, keys in asked.items():
            self._rewrite(source, keys, held)
        gone = self._erase(contacts)
        if held or contacts:
            self.memory.forget(appointments, gone)
        return self._told(len(held), len(gone))

    # -- appointments ------------------------------------------------------------------------

    def _rewrite(self, source: str, keys: Sequence[str], held: Mapping[str, Known]) -> None:
        """Write fields that are not as they should be, whatever the mapping says of when to."""
        rows = self.lookup.rows(source, APPOINTMENTS.name, keys)
        names = {key: names_of(source, f"{source}/{key}", row) for key, row in rows.items()}
        add_references(source, names.values(), self.lookup)
        due = []
        for key, each in names.items():
            known = held.get(f"{source}/{key}")
            if known is not None and known.state is IdState.LINKED:
                values = self.plan.appointment.values(each)
                written = [name for name in self.plan.appointment.fields if name in known.sent]
                wanted = {name: values.get(name) for name in written}
                due.append(_Due(known, {n: v for n, v in wanted.items() if _is_due(known, n, v)}))
        self._write([each for each in due if each.wanted])

    def _write(self, due: Sequence["_Due"]) -> None:
        fields = sorted({name for each in due for name in each.wanted})
        ids = {each.known.remote_id for each in due if each.known.remote_id is not None}
        there = read(self.remote, Kind.APPOINTMENT, ids, fields)
        items = {}
        for each in due:
            found = there.get(each.known.remote_id or "")
            ours = self._ours(each, found.fields) if found else {}
            if found and ours:
                known = each.known
                item = Item(known.key, ours, found.id, found.version, contact_id=known.linked_to)
                items[known.key] = item
        for portion in portions(list(items.values()), self.remote.abilities.batch):
            self._written(portion, {each.known.key: each.known for each in due})

    def _ours(self, due: "_Due", present: Mapping[str, Any]) -> dict[str, Any]:
        """The fields to write: what somebody edited is that person's."""
        ours = {}
        for name, wanted in due.wanted.items():
            value = present.get(name)
            if same(value, wanted):
                continue
            if mark(coerced(value, wanted)) in due.known.sent[name].split():
                ours[name] = wanted
            else:
                edited = f"see to the field {name!r}, which somebody edited, of appointment"
                self._leave(edited, due.known)
        return ours

    def _written(self, items: Sequence[Item], known: Mapping[str, Known]) -> None:
        outcomes = halving(partial(self.remote.update, Kind.APPOINTMENT), items)
        entries = []
        for item in items:
            outcome, before = outcomes[item.key], known[item.key]
            if isinstance(outcome, Done):
                sent = {**before.sent, **{name: mark(each) for name, each in item.fields.items()}}
                entries.append(
                    replace(before, remote_id=outcome.id, version=outcome.version, sent=sent)
                )
            elif not isinstance(outcome, Gone):
                self._leave(f"rewrite {', '.join(item.fields)} of appointment", before)
        if entries:
            self.memory.save(Kind.APPOINTMENT, entries)

    # -- contacts ----------------------------------------------------------------------------

    def _erase(self, contacts: Mapping[str, bool]) -> list[str]:
        """Erase contacts; the keys of those that nothing has to be remembered of."""
        known = self.memory.known(Kind.CONTACT, contacts.keys())
        ours: dict[str, Known] = {}
        for key, entry in known.items():
            if contacts[key]:
                self._leave("take out what is theirs of a contact that others share:", entry)
            elif entry.state is IdState.INTENDED:
                self._leave("look for a contact whose create was cut off, for", entry)
            elif entry.state is IdState.LINKED and MADE in entry.sent:
                ours[entry.remote_id or ""] = entry
            elif entry.state is IdState.LINKED:
                self._leave("erase a contact that was there before:", entry)
        self._erase_own(ours)
        return [key for key, is_needed in contacts.items() if not is_needed]

    def _erase_own(self, ours: Mapping[str, Known]) -> None:
        if not isinstance(self.remote, Erases):
            for entry in ours.values():
                self._leave("erase contact", entry)
            return
        for portion in portions(sorted(ours), self.remote.abilities.batch):
            for remote_id, why in self.remote.erase(portion).items():
                self._leave(f"erase a contact that it would not erase ({why}):", ours[remote_id])

    # -- telling -----------------------------------------------------------------------------

    def _leave(self, what: str, entry: Known) -> None:
        """Tell it, and keep it: what is forgotten here cannot be told a second time."""
        where = entry.remote_id or "an id that is not known"
        self.left.setdefault(what, []).append(where)
        words = f"Somebody asked to be forgotten: {what} {where}."
        self.memory.notice("erase-by-hand", where, words)

    def _told(self, appointments: int, contacts: int) -> Erasure:
        if not appointments and not contacts:
            return Erasure(complete=True, message="It held nothing about them.")
        done = (
            f"{appointments} appointments hold nothing of theirs that this program wrote, and "
            f"{contacts} contacts are forgotten here."
        )
        if not self.left:
            return Erasure(complete=True, message=done)
        todo = "; ".join(f"{what} {_named(ids)}" for what, ids in self.left.items())
        return Erasure(complete=False, message=f"{done} To do by hand in {self.account}: {todo}.")


def _is_due(known: Known, name: str, wanted: Any) -> bool:
    """Whether a field may have another value of ours than it should."""
    return known.sent[name].split() != [mark(wanted)]


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return ", ".join(sorted(ids)[:_MOST_NAMED]) + more
