"""Delta tables in a bucket or a folder: made for readers before the first row, and read back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError
from dlt.common.libs.deltalake import deltalake_storage_options, evolve_delta_table_schema

from zimun_connectors.warehouse.claim import Claim, from_row
from zimun_connectors.warehouse.memory import Held
from zimun_connectors.warehouse.sql import CLAIM_COLUMNS
from zimun_connectors.warehouse.tables import ALL, CLAIM, NAME, arrow_fields
from zimun_sync.model import Stream
from zimun_sync.sinks import Erasure

_PART: Final = 10_000

_PURGED: Final = (
    "Former files of the tables were removed, and so were their logs' former entries: earlier "
    "versions cannot be read any more. What a bucket keeps of removed objects is not reached."
)

#: How long a table's log goes back: the property, Delta's default, and not at all.
_LOG_RETENTION: Final = "delta.logRetentionDuration"
_USUAL, _NONE = "interval 30 days", "interval 0 seconds"


class DeltaTables:
    """The tables' files; see `Tables`.

    Args:
        pipeline: knows where they are.
    """

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._pipeline = pipeline

    def claim(self) -> Claim | None:
        """Whose the dataset is; None where it is nobody's yet."""
        for part in self._rows(CLAIM, CLAIM_COLUMNS, None):
            return from_row(part[0])
        return None

    def held(self, stream: Stream, source: str | None) -> Iterator[Sequence[Held]]:
        """The stream's rows, a part at a time; of every source where none is named."""
        columns = ("_source", stream.key, "_seq", "_hash")
        for part in self._rows(stream.name, columns, source):
            yield [Held(*row) for row in part]

    def prepare(self, streams: Sequence[Stream], remade: Mapping[str, Sequence[str]]) -> set[str]:
        """Make what is missing, and those columns anew; the streams that had no table before."""
        self._pipeline.sync_schema(ALL)
        made = set[str]()
        for stream in streams:
            where, options = self._location(stream.name)
            schema = arrow_fields(stream)
            if not DeltaTable.is_deltatable(where, storage_options=options):
                DeltaTable.create(where, schema=schema, storage_options=options)
                made.add(stream.name)
                continue
            table = DeltaTable(where, storage_options=options)
            if stream.name in remade:
                _empty(table, remade[stream.name], schema)
            evolve_delta_table_schema(table, schema)
        return made

    def forget(self, tables: Sequence[str]) -> Erasure:
        """Remove former files of tables, and the log's entries that tell what was in them."""
        for name in tables:
            where, options = self._location(name)
            if DeltaTable.is_deltatable(where, storage_options=options):
                _purge(where, options)
        return Erasure(complete=True, message=_PURGED)

    def _rows(
        self, table: str, columns: Sequence[str], source: str | None
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        where, options = self._location(table)
        try:
            found = DeltaTable(where, storage_options=options).to_pyarrow_dataset()
        except TableNotFoundError:
            return  # nobody has written there yet
        wanted = None if source is None else pc.field("_source") == source
        for batch in found.to_batches(columns=list(columns), filter=wanted, batch_size=_PART):
            if len(batch):
                yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))

    def _location(self, table: str) -> tuple[str, dict[str, str]]:
        with self._pipeline.destination_client(NAME) as client:
            config: Any = client.config
            options = deltalake_storage_options(
                config.credentials, config.deltalake_storage_options
            )
            files: Any = client
            return files.get_open_table_location("delta", table), options


def _empty(table: DeltaTable, columns: Sequence[str], schema: pa.Schema) -> None:
    """Write the table anew with those columns NULL, of the schema's type.

    Delta cannot drop a column of a table that was made without column mapping.
    """
    rows = table.to_pyarrow_dataset()
    kept = pa.schema([f for f in schema if f.name in rows.schema.names and f.name not in columns])
    wanted = pa.schema([*kept, *(schema.field(name) for name in columns)])

    def batches() -> Iterator[pa.RecordBatch]:
        for part in rows.to_batches(columns=kept.names):
            nulls = [pa.nulls(len(part), schema.field(name).type) for name in columns]
            arrays = [column.cast(f.type) for column, f in zip(part.columns, kept, strict=True)]
            yield pa.RecordBatch.from_arrays([*arrays, *nulls], schema=wanted)

    anew = pa.RecordBatchReader.from_batches(wanted, batches())
    write_deltalake(table, anew, mode="overwrite", schema_mode="overwrite")


def _purge(where: str, options: dict[str, str]) -> None:
    """Leave the present version alone; its log begins with it."""
    table = DeltaTable(where, storage_options=options)
    usual = table.metadata().configuration.get(_LOG_RETENTION)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    table.alter.set_table_properties({_LOG_RETENTION: _NONE})
    table = DeltaTable(where, storage_options=options)
    table.create_checkpoint()
    table.cleanup_metadata()
    after = _USUAL if usual in (None, _NONE) else usual
    table.alter.set_table_properties({_LOG_RETENTION: after})
