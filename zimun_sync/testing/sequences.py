"""The law of a sink: whatever came in whatever order, the greatest sequence wins."""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zimun_sync.sinks import Batch
from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.builders import delete, make_batch, upsert
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import plain_row

#: One batch to write: source, stream (both by index), and what happens to each of some keys.
Write = tuple[int, int, dict[int, int | None]]

_VARIANT = st.none() | st.integers(0, 3)
_WRITES = st.tuples(
    st.integers(0, 1),
    st.integers(0, 1),
    st.dictionaries(st.integers(0, 5), _VARIANT, min_size=1, max_size=6),
)
#: A write, the number of an earlier batch to send again, or "reopen".
_STEPS = st.lists(_WRITES | st.integers(0, 9) | st.just("reopen"), min_size=1, max_size=12)
_SOURCES = ("main", "second")


class SequenceChecks(ContractBase):
    """Sequences of batches that nobody wrote down."""

    #: How many are tried; fewer where each takes long.
    sequences: ClassVar[int] = 15

    @check()
    def test_any_sequence_of_batches(
        self, rig: Rig, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Writes, replays of earlier batches and reopenings end in the latest states."""
        del rig

        @settings(
            max_examples=self.sequences,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(_STEPS)
        def law(steps: list[Write | int | str]) -> None:
            with self.new_rig(tmp_path_factory.mktemp("sequence")) as rig:
                self._follow(rig, steps)

        law()

    def _follow(self, rig: Rig, steps: list[Write | int | str]) -> None:
        sink, written, seq = rig.open(), list[Batch](), 0
        for step in steps:
            match step:
                case str():
                    sink.close()
                    sink = rig.open()
                case int():
                    for batch in written[step : step + 1]:
                        rig.write(sink, batch)
                case source, stream, effects:
                    written.append(self._batch(_SOURCES[source], stream, effects, seq))
                    rig.write(sink, written[-1])
                    seq += len(effects)
        rig.check()

    def _batch(
        self, source: str, index: int, effects: dict[int, int | None], last_seq: int
    ) -> Batch:
        stream = self.streams[index % len(self.streams)]
        changes = []
        for seq, (number, variant) in enumerate(effects.items(), start=last_seq + 1):
            key = f"k_{number}"
            row = plain_row(stream, key, variant)
            changes.append(delete(seq, key) if variant is None else upsert(seq, key, row))
        return make_batch(*changes, stream=stream, source=source)
