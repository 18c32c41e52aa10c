"""Tying appointments to their contacts, where that takes calls of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.calling import halving, portions, read
from zimun_sync.remotes.contract import Done, Kind, Links, Outcome, Pair, Refused, Remote
from zimun_sync.remotes.tasks import (
    TYING,
    Result,
    Standing,
    about_to_tie,
    is_tied,
    only,
    ties,
    without,
)


@dataclass(frozen=True, slots=True)
class LinkStep:
    """Ties and unties.

    Args:
        remote: connected.
        memory: the sink's.
    """

    remote: Remote
    memory: Memory

    def tie(self, wanted: Mapping[str, str | None]) -> dict[str, Result]:
        """Tie appointments to contacts, by the appointment's key; the new tie before the old goes.

        Args:
            wanted: the contact's remote id by appointment; None: tied to nobody.

        Raises:
            SinkUnavailable, SinkBroken: what was done is remembered.
        """
        if not isinstance(self.remote, Links):
            return {}
        known = self.memory.known(Kind.APPOINTMENT, wanted.keys())
        moving = [
            each
            for each in known.values()
            if each.state is IdState.LINKED and not is_tied(each, wanted[each.key])
        ]
        results: dict[str, Result] = {}
        for portion in portions(moving, self.remote.abilities.batch):
            results |= self._move(self.remote, portion, wanted)
        return results

    def _move(
        self, remote: Links, entries: Sequence[Known], wanted: Mapping[str, str | None]
    ) -> dict[str, Result]:
        new = [pair for each in entries if (pair := _pair(each, wanted[each.key]))]
        self._intend(entries, new)
        outcomes = halving(remote.link, new)
        held = {key for key, outcome in outcomes.items() if not isinstance(outcome, Done)}
        moved = [each for each in entries if each.key not in held]
        undone = self._untie(remote, moved, wanted)
        untied = [each for each in moved if not isinstance(undone.get(each.key), Refused)]
        self._settle([replace(each, linked_to=wanted[each.key]) for each in untied])
        results: dict[str, Result] = {each.key: Standing.WRITTEN for each in moved}
        refused = {**outcomes, **undone}
        results |= {key: each for key, each in refused.items() if isinstance(each, Refused)}
        lost = [pair for pair in new if _is_lost(outcomes[pair.key])]
        return results | self.mend(lost)

    def _intend(self, entries: Sequence[Known], pairs: Sequence[Pair]) -> None:
        """Remember ties about to be made, so that one that nobody heard of can be undone."""
        by_key = {each.key: each for each in entries}
        intents = [about_to_tie(by_key[pair.key], pair.contact_id) for pair in pairs]
        if intents:
            self.memory.save(Kind.APPOINTMENT, intents)

    def _settle(self, entries: Sequence[Known]) -> None:
        if entries:
            self.memory.save(Kind.APPOINTMENT, [without(each, TYING) for each in entries])

    def _untie(
        self, remote: Links, entries: Sequence[Known], wanted: Mapping[str, str | None]
    ) -> dict[str, Outcome]:
        """Undo former ties, one of each appointment in a call."""
        former = {each.key: sorted(ties(each) - only(wanted[each.key])) for each in entries}
        undone: dict[str, Outcome] = {}
        while any(former.values()):
            pairs = [
                pair
                for each in entries
                if former[each.key] and (pair := _pair(each, former[each.key].pop()))
            ]
            undone = halving(remote.unlink, pairs) | _refusals(undone)
        return undone

    def mend(self, pairs: Sequence[Pair]) -> dict[str, Result]:
        """Find out which of the two is gone, or merged, and remember it."""
        self.look_at_contacts({pair.contact_id for pair in pairs})
        self._mend(Kind.APPOINTMENT, {pair.appointment_id for pair in pairs})
        return {pair.key: Standing.AGAIN for pair in pairs}

    def look_at_contacts(self, ids: set[str]) -> None:
        """Remember what became of contacts that may be gone, or merged."""
        self._mend(Kind.CONTACT, ids)

    def _mend(self, kind: Kind, ids: set[str]) -> None:
        keys = self.memory.remote(kind, ids)
        known = self.memory.known(kind, keys.values())
        there = read(self.remote, kind, ids, [])
        entries = []
        for remote_id, key in keys.items():
            found = there.get(remote_id)
            if found is None:
                entries.append(replace(known[key], state=IdState.DELETED, sent={}))
            elif found.id != remote_id:
                entries.append(replace(known[key], remote_id=found.id, sent={}))
        if entries:
            self.memory.save(kind, entries)


def _refusals(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {key: each for key, each in outcomes.items() if isinstance(each, Refused)}


def _pair(entry: Known, contact_id: str | None) -> Pair | None:
    if contact_id is None or entry.remote_id is None:
        return None
    return Pair(entry.key, entry.remote_id, contact_id)


def _is_lost(outcome: Outcome) -> bool:
    return not isinstance(outcome, Done | Refused)
