"""What the groups of checks share, and how the contract knows that each check was made."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import pytest

from zimun_sync.model import STREAMS, ColumnType, Stream
from zimun_sync.sinks import Batch
from zimun_sync.testing.builders import make_batch, upsert
from zimun_sync.testing.harness import SinkHarness
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import plain_row

Test = TypeVar("Test", bound=Callable[..., None])


class ContractBase:
    """The hooks a connector overrides, and counts of what was tried, kept per contract class."""

    #: Streams the sink takes.
    streams: ClassVar[tuple[Stream, ...]] = tuple(STREAMS.values())
    #: Names of the checks that ran to their end.
    finished: ClassVar[set[str]]
    #: Values compared, by column type.
    compared: ClassVar[Counter[ColumnType]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.finished, cls.compared = set(), Counter()

    def harness(self, folder: Path) -> SinkHarness:
        """The storage under that folder; the same folder always means the same storage."""
        raise NotImplementedError(f"{type(self).__name__} must implement harness()")

    def seen(self, stream: Stream, row: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - a hook
        """What a reader should find of that row; override where a sink keeps less than all."""
        return row

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        """The storage of one test, its sinks closed afterwards."""
        with self.new_rig(tmp_path) as rig:
            yield rig

    def new_rig(self, folder: Path) -> Rig:
        """A rig on the storage under that folder."""
        return Rig(self.harness(folder), self.streams, self.seen, self.compared)

    def first(self, count: int, *, source: str = "main", start: int = 1) -> Batch:
        """A batch of new records `k_<seq>` in the sink's first stream."""
        stream = self.streams[0]
        changes = [
            upsert(seq, f"k_{seq}", plain_row(stream, f"k_{seq}", seq))
            for seq in range(start, start + count)
        ]
        return make_batch(*changes, stream=stream, source=source)


def check(ability: str = "") -> Callable[[Test], Test]:
    """Mark a test as a check of the contract, due where the sink has the ability.

    Args:
        ability: a name in `Rig.abilities`; empty for a check of every sink.
    """

    def mark(test: Test) -> Test:
        @wraps(test)
        def run(self: ContractBase, rig: Rig, **fixtures: Any) -> None:
            if ability and ability not in rig.abilities:
                pytest.skip(f"not an ability of this sink: {ability}")
            test(self, rig, **fixtures)
            self.finished.add(run.__name__)

        run.__dict__["ability"] = ability
        return cast(Test, run)

    return mark


def checks_due(contract: type[ContractBase], abilities: frozenset[str]) -> set[str]:
    """Names of the checks that a sink with those abilities has to pass.

    A check that a subclass overrides stays due.
    """
    marked: dict[str, Any] = {
        name: vars(member)["ability"]
        for group in contract.__mro__
        for name, member in vars(group).items()
        if callable(member) and "ability" in getattr(member, "__dict__", {})
    }
    return {name for name, ability in marked.items() if not ability or ability in abilities}
