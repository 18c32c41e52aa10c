import os
from hashlib import blake2b
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from zimun_connectors.postgres import PostgresSettings, connector
from zimun_sync.model import ColumnType, Stream
from zimun_sync.sinks import Sink
from zimun_sync.testing import SinkContract, SinkHarness
from zimun_sync.testing.harness import Content

#: Tells the writer that the crash checks kill where the server is.
SERVER = "ZIMUN_SYNC_TEST_POSTGRES"


class PostgresHarness:
    """Sinks on a schema that belongs to the folder; rows are read as an analyst would."""

    def __init__(self, folder: Path) -> None:
        self._url = os.environ[SERVER]
        self._schema = f"t_{blake2b(str(folder).encode(), digest_size=8).hexdigest()}"

    def make(self) -> Sink:
        return self._sink(self._url)

    def rows(self, stream: Stream) -> Content:
        names = [column.name for column in stream.columns]
        with psycopg.connect(self._url, options="-c TimeZone=UTC") as reader:
            found = reader.execute(self._query(stream)).fetchall()
        rows = [dict(zip(names, row, strict=True)) for row in found]
        return {(row["_source"], row[stream.key]): row for row in rows}

    def unusable(self) -> Sink:
        return self._sink("postgresql://nobody@/nothing?host=/nonexistent")

    def residue(self, text: str) -> list[str]:
        """Tables whose files, those of long values included, have the text after a checkpoint."""
        query = """
            SELECT c.oid::regclass::text, pg_read_binary_file(pg_relation_filepath(c.oid))
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN pg_class AS o ON o.reltoastrelid = c.oid
            WHERE c.relkind IN ('r', 't', 'i')
                AND %s IN (n.nspname, o.relnamespace::regnamespace::name)
        """
        with psycopg.connect(self._url, autocommit=True) as server:
            server.execute("CHECKPOINT")
            files = server.execute(query, [self._schema], binary=True).fetchall()
        return [name for name, content in files if text.encode() in bytes(content)]

    def _sink(self, url: str) -> Sink:
        settings = PostgresSettings.model_validate({"url": url, "schema": self._schema})
        return connector.build(settings, Path())

    def _query(self, stream: Stream) -> sql.Composed:
        columns = [
            sql.SQL("{}::text").format(sql.Identifier(column.name))
            if column.type is ColumnType.JSON
            else sql.Identifier(column.name)
            for column in stream.columns
        ]
        place = sql.Identifier(self._schema, stream.name)
        return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), place)


class TestPostgresContract(SinkContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(SERVER, postgres_url)

    def harness(self, folder: Path) -> SinkHarness:
        return PostgresHarness(folder)
