"""The dataset's tables where the destination speaks SQL: read back, and made ready for loads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity

from zimun_connectors.warehouse.claim import Claim, from_row
from zimun_connectors.warehouse.config import WarehouseSettings
from zimun_connectors.warehouse.forgetting import by_hand, vacuum
from zimun_connectors.warehouse.memory import Held
from zimun_connectors.warehouse.tables import ALL, CLAIM, NAME
from zimun_sync.model import Stream
from zimun_sync.sinks import Erasure

_PART: Final = 10_000

_NOTHING: Final[Any] = {"columns": {}}

#: Columns of the claim's table, in order.
CLAIM_COLUMNS: Final = Claim.__slots__


class Tables(Protocol):
    """What is done with a dataset's tables beside loading."""

    def claim(self) -> Claim | None:
        """Whose the dataset is; None where it is nobody's yet."""
        ...

    def held(self, stream: Stream, source: str | None) -> Iterator[Sequence[Held]]:
        """The stream's rows, a part at a time; of every source where none is named."""
        ...

    def prepare(self, streams: Sequence[Stream], remade: Mapping[str, Sequence[str]]) -> set[str]:
        """Make what is missing, and those columns anew; the streams that had no table before."""
        ...

    def forget(self, tables: Sequence[str]) -> Erasure:
        """Erase former rows of these tables, or tell what a person has to do."""
        ...


class SqlTables:
    """Speaks SQL; see `Tables`.

    Args:
        pipeline: knows the destination and the schema.
        settings: the sink's.
    """

    def __init__(self, pipeline: dlt.Pipeline, settings: WarehouseSettings) -> None:
        self._pipeline = pipeline
        self._settings = settings

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
        for name, columns in remade.items():
            self._drop(name, columns)
        made = self._pipeline.sync_schema(ALL) or {}
        return {
            stream.name
            for stream in streams
            if stream.key in made.get(stream.name, _NOTHING)["columns"]
        }

    def forget(self, tables: Sequence[str]) -> Erasure:
        """Erase former rows where that takes SQL alone; else tell what a person has to do."""
        if self._settings.destination == "postgres":
            return vacuum(self._pipeline, self._settings.place, tables)
        return by_hand(self._settings.destination, tables)

    def _drop(self, table: str, columns: Sequence[str]) -> None:
        """Drop columns where they are, and the table's double for rows on their way."""
        with self._pipeline.destination_client(NAME) as client:
            found: Any = client
            _, present = found.get_storage_table(table)
            sql = found.sql_client
            place = sql.make_qualified_table_name(table)
            for column in set(columns) & present.keys():
                sql.execute_sql(f"ALTER TABLE {place} DROP COLUMN {sql.escape_column_name(column)}")
            with sql.with_staging_dataset():
                if sql.has_dataset():
                    sql.drop_tables(table)

    def _rows(
        self, table: str, columns: Sequence[str], source: str | None
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        with self._pipeline.sql_client(NAME) as client:
            names = ", ".join(map(client.escape_column_name, columns))
            query = f"SELECT {names} FROM {client.make_qualified_table_name(table)}"  # noqa: S608 - our own names, quoted
            values = [] if source is None else [source]
            if values:
                query += f" WHERE {client.escape_column_name('_source')} = %s"
            try:
                with client.execute_query(query, *values) as cursor:
                    while part := cursor.fetchmany(_PART):
                        yield part
            except DestinationUndefinedEntity:
                return  # nobody has written there yet
