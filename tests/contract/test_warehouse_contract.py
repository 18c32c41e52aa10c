"""The warehouse sink passes the contract on DuckDB, PostgreSQL and a folder of Delta tables.

Each is read by its own client, not through dlt.
"""

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from deltalake import DeltaTable
from dlt.load import Load
from psycopg import sql

from tests.thorough import times
from zimun_connectors.warehouse import WarehouseSettings, connector
from zimun_sync.model import APPOINTMENTS, SERVICES, Stream
from zimun_sync.sinks import Sink
from zimun_sync.testing import SinkContract, SinkHarness, files_with
from zimun_sync.testing.base import check
from zimun_sync.testing.harness import Content
from zimun_sync.testing.rig import Rig

#: Tells the writer that the crash checks kill where the server is.
SERVER = "ZIMUN_SYNC_TEST_POSTGRES"

_DATASET = "zimun"


class _Eager(Load):
    """dlt looks once a second whether a Delta table is written; the contract writes hundreds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._run_loop_sleep_duration = 0.01


# `dlt.pipeline` is a function, which hides the module of that name.
vars(importlib.import_module("dlt.pipeline.pipeline"))["Load"] = _Eager


def _content(stream: Stream, rows: Iterable[tuple[Any, ...]]) -> Content:
    names = [column.name for column in stream.columns]
    found: Content = {}
    for row in (dict(zip(names, values, strict=True)) for values in rows):
        place = (row["_source"], row[stream.key])
        assert place not in found, f"{place} is there twice"
        found[place] = row
    return found


class _Harness(ABC):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> Sink:
        return self._sink(self._place())

    def unusable(self) -> Sink:
        return self._sink(self._bad_place())

    def _sink(self, place: dict[str, Any]) -> Sink:
        usual = {"dataset": _DATASET, "path": "own", "min_interval": 0}
        settings = WarehouseSettings.model_validate(usual | place)
        return connector.build(settings, self._folder)

    def residue(self, text: str) -> list[str]:
        return files_with(self._folder, text)

    @abstractmethod
    def _place(self) -> dict[str, Any]:
        """Settings of a destination that works."""

    @abstractmethod
    def _bad_place(self) -> dict[str, Any]:
        """Settings of one that cannot be used."""


class DuckdbHarness(_Harness):
    def _place(self) -> dict[str, Any]:
        return {"destination": "duckdb", "credentials": "wh.duckdb"}

    def _bad_place(self) -> dict[str, Any]:
        (self._folder / "text").write_text("no database")
        return {"destination": "duckdb", "credentials": "text"}

    def rows(self, stream: Stream, /) -> Content:
        names = ", ".join(f'"{column.name}"' for column in stream.columns)
        with duckdb.connect(self._folder / "wh.duckdb") as reader:
            query = f"SELECT {names} FROM {_DATASET}.{stream.name} WHERE NOT _deleted"
            return _content(stream, reader.execute(query).fetchall())


class PostgresHarness(_Harness):
    @property
    def _dataset(self) -> str:
        return f"t_{blake2b(str(self._folder).encode(), digest_size=8).hexdigest()}x"

    def _place(self) -> dict[str, Any]:
        place = {"destination": "postgres", "credentials": os.environ[SERVER]}
        return place | {"dataset": self._dataset}

    def _bad_place(self) -> dict[str, Any]:
        url = "postgresql://nobody:none@localhost/nothing?host=/nonexistent"
        return {"destination": "postgres", "credentials": url}

    def residue(self, text: str) -> list[str]:
        query = """
            SELECT c.oid::regclass::text, pg_read_binary_file(pg_relation_filepath(c.oid))
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname IN (%s, %s)
        """
        where = [self._dataset, f"{self._dataset}_staging"]
        with psycopg.connect(os.environ[SERVER], autocommit=True) as server:
            server.execute("CHECKPOINT")
            files = server.execute(query, where, binary=True).fetchall()
        return [name for name, content in files if text.encode() in bytes(content)]

    def rows(self, stream: Stream, /) -> Content:
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in stream.columns)
        place = sql.Identifier(self._dataset, stream.name)
        query = sql.SQL("SELECT {} FROM {} WHERE NOT _deleted").format(names, place)
        with psycopg.connect(os.environ[SERVER], options="-c TimeZone=UTC") as reader:
            return _content(stream, reader.execute(query).fetchall())


class DeltaHarness(_Harness):
    def _place(self) -> dict[str, Any]:
        return {
            "destination": "filesystem",
            "table_format": "delta",
            "options": {"bucket_url": "lake"},
        }

    def _bad_place(self) -> dict[str, Any]:
        (self._folder / "lake").write_text("a file where the folder should be")
        return self._place()

    def rows(self, stream: Stream, /) -> Content:
        table = DeltaTable(self._folder / "lake" / _DATASET / stream.name)
        names = [column.name for column in stream.columns]
        found = table.to_pyarrow_table(columns=[*names, "_deleted"]).to_pylist()
        assert not any(row["_deleted"] for row in found)
        return _content(stream, (tuple(row[name] for name in names) for row in found))


class _Shortened(SinkContract):
    """Any sequence of batches is tried on PostgreSQL; what it tests is one code for all."""

    streams = (APPOINTMENTS, SERVICES)

    @check()
    def test_any_sequence_of_batches(self, rig: Rig, tmp_path_factory: Any) -> None:
        del tmp_path_factory
        self._follow(
            rig,
            [
                (0, 0, {0: 1, 1: 2, 2: None}),
                (1, 1, {0: 1, 3: 3}),
                0,
                "reopen",
                (0, 0, {0: None, 1: 3, 2: 0}),
                0,
                (0, 0, {0: 2}),
                2,
                "reopen",
                1,
            ],
        )

    # pytest runs a class's own tests after those it inherits, and this one has to be the last.
    test_zz_every_check_was_made = SinkContract.test_zz_every_check_was_made


class TestWarehouseContractDuckdb(_Shortened):
    erases = False

    def harness(self, folder: Path) -> SinkHarness:
        return DuckdbHarness(folder)


class TestWarehouseContractPostgres(SinkContract):
    streams = (APPOINTMENTS, SERVICES)
    sequences = times(6, 30)  # dlt takes a second for each

    @pytest.fixture(autouse=True)
    def _server(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        url = postgres_url.replace("//zimun@/", "//zimun:none@localhost/")
        monkeypatch.setenv(SERVER, url)

    def harness(self, folder: Path) -> SinkHarness:
        return PostgresHarness(folder)


class TestWarehouseContractDelta(_Shortened):
    def harness(self, folder: Path) -> SinkHarness:
        return DeltaHarness(folder)
