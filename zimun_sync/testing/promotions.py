"""Checks of columns that a configuration promotes: they come, change their type, and go."""

from dataclasses import replace
from typing import Final

from zimun_sync.model import STREAMS, ColumnType, Row, Stream
from zimun_sync.promoting import promoted_column
from zimun_sync.sinks import Batch, Sink
from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.builders import make_batch, upsert
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import awkward_rows

#: A column of each type that a field may be promoted to.
_PROMOTED: Final[dict[str, ColumnType]] = {
    "party_size": ColumnType.INTEGER,
    "channel": ColumnType.TEXT,
    "deposit": ColumnType.DECIMAL,
    "walk_in": ColumnType.BOOLEAN,
    "confirmed_at": ColumnType.INSTANT,
    "guest_since": ColumnType.DATE,
    "answers": ColumnType.JSON,
}
#: The same names with values that none of the former types could read.
_OTHERWISE: Final[dict[str, ColumnType]] = {
    "party_size": ColumnType.TEXT,
    "channel": ColumnType.INTEGER,
    "deposit": ColumnType.JSON,
    "walk_in": ColumnType.DATE,
    "confirmed_at": ColumnType.BOOLEAN,
    "guest_since": ColumnType.DECIMAL,
    "answers": ColumnType.INSTANT,
}


class PromotionChecks(ContractBase):
    """The engine delivers anew what has values of a promoted column; the sink makes the column.

    A record without a value of it is not delivered anew: readers find NULL, or no such column.
    """

    @check()
    def test_promoted_columns_appear(self, rig: Rig) -> None:
        """On a sink that is opened with them: in what is there, and in what comes."""
        sink = rig.open()
        rig.write(sink, self.first(6))
        sink.close()
        stream = self._promoted(_PROMOTED)
        sink = self._opened(rig, stream)
        rig.check()
        rig.write(sink, self._records(stream, 10, keys=("k_2", "k_3", "new")))
        rig.check()
        sink.close()
        rig.open(streams=STREAMS | {stream.name: stream})
        rig.check()

    @check()
    def test_a_batch_may_bring_promoted_columns(self, rig: Rig) -> None:
        """Without opening the sink again."""
        sink = rig.open()
        rig.write(sink, self.first(3))
        stream = self._promoted(_PROMOTED)
        rig.reshape(stream)
        rig.write(sink, self._awkward(stream))
        rig.check()

    @check()
    def test_a_promoted_column_changes_its_type(self, rig: Rig) -> None:
        """Every record that had a value comes anew."""
        first, second = self._promoted(_PROMOTED), self._promoted(_OTHERWISE)
        sink = self._opened(rig, first)
        rig.write(sink, self._awkward(first))
        sink.close()
        sink = self._opened(rig, second)
        rig.write(sink, self._awkward(second))
        rig.check()

    @check()
    def test_a_column_that_is_no_longer_promoted(self, rig: Rig) -> None:
        """It is empty, or gone, and may come back."""
        stream = self._promoted(_PROMOTED)
        sink = self._opened(rig, stream)
        rig.write(sink, self._awkward(stream))
        sink.close()
        plain = self.streams[0]
        sink = self._opened(rig, plain)
        rig.write(sink, self._awkward(plain))
        rig.check()
        sink.close()
        sink = self._opened(rig, stream)
        rig.write(sink, self._awkward(stream))
        rig.check()

    def _promoted(self, columns: dict[str, ColumnType]) -> Stream:
        made = (promoted_column(name, kind, [name]) for name, kind in columns.items())
        return replace(self.streams[0], promoted=tuple(made))

    def _opened(self, rig: Rig, stream: Stream) -> Sink:
        rig.reshape(stream)
        return rig.open(streams=STREAMS | {stream.name: stream})

    def _awkward(self, stream: Stream) -> Batch:
        return self._records(stream, 1, keys=tuple(awkward_rows(stream)))

    def _records(self, stream: Stream, start: int, keys: tuple[str, ...]) -> Batch:
        """Records with awkward values in every column, the promoted ones too.

        With other columns the same sequences come again: the records did not change.
        """
        rows = list(awkward_rows(stream).values())
        at_key = next(i for i, column in enumerate(stream.content) if column.name == stream.key)
        changes = [
            upsert(seq, key, _with_key(rows[seq % len(rows)], at_key, key))
            for seq, key in enumerate(keys, start=start)
        ]
        return make_batch(*changes, stream=stream)


def _with_key(row: Row, at_key: int, key: str) -> Row:
    return (*row[:at_key], key, *row[at_key + 1 :])
