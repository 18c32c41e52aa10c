"""A memory that takes what a preview would remember, and forgets it afterwards."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from zimun_sync.ids import Activation, Known, Memory


class Rehearsal:
    """Reads a sink's memory and keeps every write to itself: the store is not touched.

    So a preview can go through batch after batch as a delivery would, and whatever an earlier
    batch would create is known to the later ones.

    Args:
        real: what is remembered; only read.
        activation: the consent to assume; None for the one that was given.
    """

    def __init__(self, real: Memory, activation: Activation | None = None) -> None:
        self._real = real
        self._activation = activation
        self._account: str | None = None
        self._known: dict[str, dict[str, Known]] = {}
        self._aliases: dict[str, str] = {}
        self._calls: dict[date, int] = {}

    def account(self) -> str | None:
        """The account that was claimed here, else the one remembered."""
        return self._account or self._real.account()

    def claim(self, account: str) -> None:
        """Take an account for as long as this lasts."""
        self._account = account

    def activation(self) -> Activation | None:
        """The consent to assume, else the one that was given."""
        return self._activation or self._real.activation()

    def known(self, kind: str, keys: Collection[str], /) -> dict[str, Known]:
        """What is remembered, under what was saved here."""
        saved = self._known.get(kind, {})
        return self._real.known(kind, keys) | {key: saved[key] for key in keys if key in saved}

    def remote(self, kind: str, ids: Collection[str], /) -> dict[str, str]:
        """Our keys by remote id, those saved here first."""
        saved = {known.remote_id: known.key for known in self._known.get(kind, {}).values()}
        wanted = {each: saved[each] for each in ids if each in saved}
        return self._real.remote(kind, ids) | wanted

    def aliases(self, persons: Collection[str], /) -> dict[str, str]:
        """Contacts' keys by person key, those saved here first."""
        saved = {person: self._aliases[person] for person in persons if person in self._aliases}
        return self._real.aliases(persons) | saved

    def save(
        self, kind: str, entries: Sequence[Known], aliases: Mapping[str, str] | None = None, /
    ) -> None:
        """Keep objects and person keys for as long as this lasts."""
        self._known.setdefault(kind, {}).update({known.key: known for known in entries})
        self._aliases.update(aliases or {})

    def forgotten(self, appointments: Collection[str], /) -> dict[str, bool]:
        """Contacts of people who asked to be forgotten."""
        return self._real.forgotten(appointments)

    def forget(self, appointments: Collection[str], contacts: Collection[str], /) -> None:
        """Nothing: a preview forgets nobody."""

    def spend(self, _run_id: str, _creates: int, _limit: int, /) -> bool:
        """Nothing is created, so nothing is held."""
        return True

    def calls(self, day: date, made: int = 0, /) -> int:
        """Calls of that day, those of this preview counted."""
        self._calls[day] = self._calls.get(day, 0) + made
        return self._real.calls(day) + self._calls[day]

    def notice(self, code: str, subject: str, message: str, /) -> None:
        """Pass it over: it is told when something is written."""
