"""Checks of what `zimun-sync verify` and its `--repair` need of a sink."""

from dataclasses import replace

import pyarrow as pa

from zimun_sync.sinks import Batch, Publishes, ReadsRows
from zimun_sync.tables import upserts_table
from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.builders import delete, make_batch
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import awkward_batch

#: An unchanged record may keep older ones.
_LINEAGE = ("_seq", "_run_id", "_synced_at")


class VerifyChecks(ContractBase):
    """Showing what is there, and taking again what was there already."""

    @check()
    def test_taken_away_and_given_again(self, rig: Rig) -> None:
        """So a record is mended whose content was changed behind the sink's back."""
        sink = rig.open()
        for stream in self.streams:
            batch = awkward_batch(stream)
            gone = replace(_deletes(batch), more=True)
            rig.write(sink, batch)
            for _ in range(2):
                assert rig.write(sink, gone).applied == len(batch)
                assert rig.write(sink, batch).applied == len(batch)
        rig.check()

    @check("ReadsRows")
    def test_reading_rows(self, rig: Rig) -> None:
        """Every value and hash is the one that was given, per source and stream."""
        sink = rig.open()
        assert isinstance(sink, ReadsRows)
        for stream in self.streams:
            for source in ("main", "second"):
                assert sum(part.num_rows for part in sink.read_rows(source, stream)) == 0
                batch = awkward_batch(stream, source)
                rig.write(sink, batch)
                found = pa.concat_tables(sink.read_rows(source, stream))
                assert _rows(found, stream.key) == _rows(upserts_table(batch), stream.key)
        rig.check()

    @check("Publishes")
    def test_publishing_anew(self, rig: Rig) -> None:
        """What readers see is what the sink holds, before and after."""
        sink = rig.open()
        assert isinstance(sink, Publishes)
        for stream in self.streams:
            rig.write(sink, awkward_batch(stream))
        for _ in range(2):
            for stream in self.streams:
                assert list(sink.read_published("main", stream)) == []
            rig.check()
            sink.publish_anew()
        rig.check()


def _deletes(batch: Batch) -> Batch:
    gone = [delete(change.seq, change.key) for change in batch.stored]
    return make_batch(*gone, stream=batch.stream, source=batch.source)


def _rows(table: pa.Table, key: str) -> list[dict[str, object]]:
    """Rows in the order of their keys, without lineage."""
    rows = table.drop_columns(list(_LINEAGE)).to_pylist()
    return sorted(rows, key=lambda row: str(row[key]))
