"""Drives sinks for the contract, checks every answer, and keeps count of what was compared."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from zimun_sync.model import ColumnType, Stream
from zimun_sync.sinks import (
    Adopts,
    Batch,
    Change,
    Checks,
    Forgets,
    Publishes,
    ReadsBack,
    ReadsRows,
    ShowsFreshness,
    Sink,
    WriteResult,
)
from zimun_sync.testing.builders import sink_context
from zimun_sync.testing.harness import Expected, SinkHarness, Unusable, comparable

#: What a reader should see of a row; see `SinkContract.seen`.
Seen = Callable[[Stream, Mapping[str, Any]], Mapping[str, Any]]

_ABILITIES: tuple[type, ...] = (
    Adopts,
    Checks,
    Forgets,
    Publishes,
    ReadsBack,
    ReadsRows,
    ShowsFreshness,
    Unusable,
)

#: Columns left out of comparisons, for an unchanged record may keep older ones.
_LINEAGE = ("_seq", "_run_id", "_synced_at")


class Rig:
    """One storage under test: opens sinks on it and knows what it must hold.

    Args:
        harness: the connector's harness.
        streams: the streams the sink takes.
        seen: what a reader should see of a row.
        compared: counts compared values by column type, NULLs left out; shared by all rigs
            of one contract class.
    """

    def __init__(
        self,
        harness: SinkHarness,
        streams: Iterable[Stream],
        seen: Seen,
        compared: Counter[ColumnType],
    ) -> None:
        self.harness = harness
        self.expected = Expected()
        self._streams = tuple(streams)
        self._seen = seen
        self._compared = compared
        self._sinks: list[Sink] = []
        probe = (harness, harness.make())
        #: Names of the optional protocols that the sink or its harness implements.
        self.abilities = frozenset(
            ability.__name__
            for ability in _ABILITIES
            if any(isinstance(candidate, ability) for candidate in probe)
        )

    def make(self) -> Sink:
        """A fresh sink, closed when the test ends."""
        sink = self.harness.make()
        self._sinks.append(sink)
        return sink

    def open(self, **context: Any) -> Sink:
        """A fresh sink, opened with `sink_context(**context)`."""
        sink = self.make()
        sink.open(sink_context(**context))
        return sink

    def write(self, sink: Sink, batch: Batch) -> WriteResult:
        """Write the batch, check that the counts add up, and expect its content from now on."""
        result = sink.write(batch)
        total = result.applied + result.unchanged + len(result.rejected) + result.skipped
        assert total == len(batch), f"{result} accounts for {total} of {len(batch)} changes"
        assert not result.rejected, f"the kit's records are all acceptable: {result.rejected}"
        self.expected.take(batch)
        return result

    def reshape(self, stream: Stream) -> None:
        """Expect the stream with these promoted columns from now on."""
        self._streams = tuple(
            stream if each.name == stream.name else each for each in self._streams
        )
        self.expected.reshape(stream)

    def check(self) -> None:
        """Compare what readers find in every stream with what was written."""
        for stream in self._streams:
            found, expected = self.harness.rows(stream), self.expected.live(stream)
            assert found.keys() == expected.keys(), _difference(stream, found, expected)
            for place, change in expected.items():
                self._check_row(stream, place, found[place], change)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close every sink made; closing twice, or unopened, is part of the contract."""
        for sink in self._sinks:
            sink.close()
            sink.close()

    def _check_row(
        self, stream: Stream, place: tuple[str, str], found: Mapping[str, Any], change: Change
    ) -> None:
        assert change.row is not None
        wanted = self._seen(stream, change.row)
        for column in stream.columns:
            if column.name not in wanted or column.name in _LINEAGE:
                continue
            if (
                column in stream.promoted
                and wanted[column.name] is None
                and column.name not in found
            ):
                continue
            assert column.name in found, f"{stream.name} has no column {column.name} for readers"
            value = comparable(wanted[column.name], column.type)
            got = comparable(found[column.name], column.type)
            where = f"{stream.name}.{column.name} of {place}"
            assert _same(got, value), f"{where} is {got!r}, but {value!r} was written"
            self._compared[column.type] += value is not None


def _same(got: Any, value: Any) -> bool:
    """Equality that does not take True for 1, nor an aware time for a naive one."""
    return bool(got == value) and isinstance(got, bool) == isinstance(value, bool)


def _difference(stream: Stream, found: Iterable[Any], expected: Iterable[Any]) -> str:
    missing, extra = set(expected) - set(found), set(found) - set(expected)
    return f"{stream.name}: missing {sorted(missing)[:5]}, not expected {sorted(extra)[:5]}"
