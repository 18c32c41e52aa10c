"""The databases that have the views, each filled by its own sink."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import duckdb
import psycopg
from psycopg.rows import dict_row

from tests.marts.small_world import SmallWorld
from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink
from zimun_connectors.postgres import PostgresSettings, PostgresSink
from zimun_sync.sinks import Sink
from zimun_sync.testing import sink_context

Row = dict[str, Any]
SCHEMA = "marts"


class Engine(Protocol):
    """A database with the views."""

    #: Its names of the types that the descriptions use.
    types: ClassVar[Mapping[str, str]]

    def load(self, world: SmallWorld) -> None:
        """Let the sink write the world."""

    def rows(self, query: str, timezone: str = "UTC") -> list[Row]:
        """The answer in a session with that time zone, instants in UTC."""

    def comments(self) -> list[tuple[str, str, str, str]]:
        """Relation, column (empty: the relation's own), type and comment of all it publishes."""


def _fill(sink: Sink, world: SmallWorld) -> None:
    sink.open(sink_context())
    for batch in world.batches():
        assert sink.write(batch).applied == len(batch)
    sink.close()


def _in_utc(row: Mapping[str, Any]) -> Row:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(UTC) if aware else value


@dataclass(frozen=True, slots=True)
class DuckDb:
    """The file that analysts open."""

    folder: Path
    types: ClassVar[Mapping[str, str]] = {
        "text": "VARCHAR",
        "bigint": "BIGINT",
        "boolean": "BOOLEAN",
        "numeric": "DECIMAL",
        "timestamptz": "TIMESTAMP WITH TIME ZONE",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "JSON",
        "double precision": "DOUBLE",
    }

    def load(self, world: SmallWorld) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        _fill(DuckdbSink(DuckdbSettings(path=Path("zimun.duckdb")), self.folder), world)

    def rows(self, query: str, timezone: str = "UTC") -> list[Row]:
        with duckdb.connect(self.folder / "zimun.duckdb", read_only=True) as reader:
            reader.execute(f"SET TimeZone = '{timezone}'")
            answer = reader.sql(query)
            return [
                _in_utc(dict(zip(answer.columns, row, strict=True))) for row in answer.fetchall()
            ]

    def comments(self) -> list[tuple[str, str, str, str]]:
        found = self.rows("""
            SELECT table_name, column_name, data_type, comment FROM duckdb_columns()
            WHERE database_name = 'zimun' AND schema_name = 'main' AND NOT internal
            UNION ALL
            SELECT view_name, '', '', comment FROM duckdb_views()
            WHERE database_name = 'zimun' AND schema_name = 'main' AND NOT internal
        """)
        return [(t, c, kind.partition("(")[0], text) for t, c, kind, text in map(_tuple, found)]


@dataclass(frozen=True, slots=True)
class Postgres:
    """A schema of a real server."""

    url: str
    types: ClassVar[Mapping[str, str]] = {
        "text": "text",
        "bigint": "bigint",
        "boolean": "boolean",
        "numeric": "numeric",
        "timestamptz": "timestamp with time zone",
        "timestamp": "timestamp without time zone",
        "date": "date",
        "json": "jsonb",
        "double precision": "double precision",
    }

    def load(self, world: SmallWorld) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        _fill(PostgresSink(PostgresSettings.model_validate(self._settings)), world)

    @property
    def _settings(self) -> dict[str, Any]:
        return {"url": self.url, "schema": SCHEMA}

    def rows(self, query: str, timezone: str = "UTC") -> list[Row]:
        with psycopg.connect(self.url, row_factory=dict_row) as reader:
            reader.execute(f"SET search_path = {SCHEMA}; SET TimeZone = '{timezone}'")
            return [_in_utc(row) for row in reader.execute(query)]

    def comments(self) -> list[tuple[str, str, str, str]]:
        found = self.rows(f"""
            SELECT c.relname, a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum)
            FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind IN ('r', 'v')
                AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT c.relname, '', '', obj_description(c.oid, 'pg_class') FROM pg_class AS c
            WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind IN ('r', 'v')
        """)  # noqa: E501 - one line a column
        own = ("_hash", "_adoption")
        return [
            row
            for row in map(_tuple, found)
            if not row[0].startswith("_zimun_") and row[1] not in own
        ]


def _tuple(row: Row) -> tuple[str, str, str, str]:
    first, second, third, fourth = row.values()
    return first, second, third, fourth
