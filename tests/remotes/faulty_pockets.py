"""Connectors that are wrong in one way each, for `test_pocket_faults.py`; pytest passes it over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from zimun_sync.remotes.contract import Done, Item, Kind, Outcome, Refused
from zimun_sync.remotes.sink import remote_sink
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes import Lack, RemoteContract
from zimun_sync.testing.remotes.pocket import PocketCrm, PocketRemote, PocketRules
from zimun_sync.testing.remotes.pocket.connector import DEFAULTS, PocketSettings
from zimun_sync.testing.remotes.pocket.harness import PocketHarness


class FaultyContract(RemoteContract):
    remote: type[PocketRemote] = PocketRemote
    rules = PocketRules()
    lacks: frozenset[Lack] = frozenset()

    def harness(self, folder: Path, address: str = "") -> PocketHarness:
        path = Path(address) if address else folder / "pocket.sqlite"
        return FaultyHarness(path, self.rules, self.lacks, self.remote)


class FaultyHarness(PocketHarness):
    def __init__(
        self, path: Path, rules: PocketRules, lacks: frozenset[Lack], remote: type[PocketRemote]
    ) -> None:
        super().__init__(path, rules, lacks)
        self._remote = remote

    def sink_on(self, crm: PocketCrm, settings: PocketSettings) -> Sink:
        return remote_sink(self._remote(crm), settings, DEFAULTS)


class Boasting(PocketRemote):
    """Says that a repeated create doubles nothing, but sends no token and no key."""

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        return super().create(kind, [replace(item, token="") for item in items])


class Shifting(PocketRemote):
    """Writes wall-clock times of Vienna as if they were UTC, all year long."""

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        return super().create(kind, [replace(item, fields=_shifted(item)) for item in items])

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        return super().update(kind, [replace(item, fields=_shifted(item)) for item in items])


def _shifted(item: Item) -> dict[str, Any]:
    return {
        name: value.replace(tzinfo=UTC, hour=(value.hour + 1) % 24)
        if name in {"starts_at", "ends_at"} and value
        else value
        for name, value in item.fields.items()
    }


class Swallowing(PocketRemote):
    """Takes a refusal for a success."""

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        return [_fine(each) for each in super().create(kind, items)]


def _fine(outcome: Outcome) -> Outcome:
    return Done(outcome.key, "c0") if isinstance(outcome, Refused) else outcome


class Creating(PocketRemote):
    """Makes a contact anew where an update finds none."""

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        outcomes = list(super().update(kind, items))
        for number, item in enumerate(items):
            if not isinstance(outcomes[number], Done):
                fields = {"title": "Made anew", **item.fields}
                (outcomes[number],) = self.create(kind, [replace(item, id=None, fields=fields)])
        return outcomes


class TestBoasting(FaultyContract):
    remote = Boasting
    rules = PocketRules(keeps_keys=False)


class TestShifting(FaultyContract):
    remote = Shifting


class TestSwallowing(FaultyContract):
    remote = Swallowing


class TestCreating(FaultyContract):
    remote = Creating
    rules = PocketRules(keeps_keys=False)


class TestUnderstating(FaultyContract):
    """Says that there are no owners, although there are."""

    lacks = frozenset({Lack.OWNERS})


class TestExcusing(FaultyContract):
    """Says that contacts cannot be merged, although they can."""

    lacks = frozenset({Lack.MERGE})


class TestShirking(FaultyContract):
    """Overrides a check with nothing."""

    def test_a_deletion_in_the_source_cancels(self, rig: Any) -> None:
        del rig
