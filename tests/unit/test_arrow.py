"""A batch's rows as Arrow tables: what they hold is what `Batch.changes` tells."""

from dataclasses import replace
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from zimun_sync import arrow
from zimun_sync.model import APPOINTMENTS, ColumnType
from zimun_sync.promoting import promoted_column
from zimun_sync.stored import StoredChange
from zimun_sync.tables import ARROW_TYPES, arrow_schema, deletes_table, upserts_table
from zimun_sync.testing import appointment_row, delete, make_batch, upsert

#: More rows than are turned into columns at a time, deleted ones among them.
SEQS = range(1, 2_501)
GONE = [seq for seq in SEQS if not seq % 3]
AMOUNTS = {seq: Decimal(seq) / (1, 10, 10_000)[seq % 3] for seq in SEQS if seq % 3}


def _change(seq: int) -> StoredChange:
    if seq in AMOUNTS:
        return upsert(seq, f"a_{seq}", price_amount=AMOUNTS[seq])
    return delete(seq, f"a_{seq}")


CHANGES = [_change(seq) for seq in SEQS]


def test_columns_hold_what_the_changes_tell() -> None:
    batch = make_batch(*CHANGES)
    told = [change for change in batch.changes if change.row is not None]
    rows = upserts_table(batch).to_pylist()
    assert [row.pop("_hash") for row in rows] == [change.hash for change in told]
    assert rows == [change.row for change in told]
    assert deletes_table(batch).to_pylist() == [{"key": f"a_{seq}", "seq": seq} for seq in GONE]


@pytest.mark.parametrize("changes", [[], [delete(1, "a_1")], CHANGES])
def test_a_table_has_its_streams_types(changes: list[StoredChange]) -> None:
    vip = promoted_column("vip", ColumnType.BOOLEAN, ["vip"])
    batch = make_batch(*changes, stream=replace(APPOINTMENTS, promoted=(vip,)))
    schema = upserts_table(batch).schema
    assert schema.equals(arrow_schema(batch.stream), check_metadata=True)
    assert schema.field("vip").metadata == {b"promoted": b"boolean"}
    assert schema.field("price_amount").type == pa.decimal128(18, 4)
    assert schema.field("starts_at").type == ARROW_TYPES[ColumnType.INSTANT]


def test_duckdb_reads_them_where_they_are_as_often_as_it_likes() -> None:
    rows = arrow.upserts(make_batch(*CHANGES))
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        for _ in range(2):
            found = connection.execute("SELECT count(*), sum(price_amount) FROM rows").fetchall()
            assert found == [(len(AMOUNTS), sum(AMOUNTS.values()))]


@pytest.mark.parametrize("amount", ["12,50", "1e400", "", "123456789012345", "1.00005"])
def test_an_amount_that_cannot_be_read_is_told_and_neither_left_empty_nor_rounded(
    amount: str,
) -> None:
    at = [column.name for column in APPOINTMENTS.content].index("price_amount")
    row = appointment_row("a_2")
    spoilt = (*row[:at], amount, *row[at + 1 :])
    batch = make_batch(upsert(1, "a_1", price_amount=None), upsert(2, "a_2", spoilt))
    with pytest.raises(ValueError, match=f"'{amount}' is stored as a decimal"):
        arrow.upserts(batch)
