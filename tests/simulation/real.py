"""Real connectors beside the simulated sinks: what they hold, read as their readers would."""

import csv
import gc
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb

from zimun_connectors import csv as csv_sink
from zimun_connectors import duckdb as duckdb_sink
from zimun_connectors.common.lock import WriterLock
from zimun_sync.sinks import Sink

Kind = Literal["csv", "duckdb"]
Texts = dict[str, dict[str, str]]

#: Columns that are compared, as text.
COLUMNS: Final = ("status", "contact_name", "contact_email", "contact_phone", "price_currency")


@dataclass(frozen=True, slots=True)
class RealSink:
    """A sink of a real connector.

    Args:
        kind: which one.
        folder: where its files are.
    """

    kind: Kind
    folder: Path

    def build(self) -> Mapping[str, Sink]:
        """It, as a new process makes it."""
        return {self.kind: _BUILD[self.kind](self.folder)}

    def free(self) -> None:
        """What the operating system does at a process's end: it gives locks back."""
        for each in gc.get_objects():
            if isinstance(each, WriterLock) and each._descriptor is not None:
                os.close(each._descriptor)
                each._descriptor = None

    def rows(self) -> Texts:
        """The appointments that it shows: some columns by key."""
        return _READ[self.kind](self.folder)


def _csv(folder: Path) -> Sink:
    return csv_sink.connector.build(csv_sink.CsvSettings(path=Path("csv")), folder)


def _duckdb(folder: Path) -> Sink:
    settings = duckdb_sink.DuckdbSettings(path=Path("zimun.duckdb"), model=False)
    return duckdb_sink.connector.build(settings, folder)


def _of_csv(folder: Path) -> Texts:
    path = folder / "csv" / "appointments.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["deleted_at"]]
    # A cell that a spreadsheet might run has an apostrophe in front.
    return {
        row["appointment_id"]: {name: row[name].removeprefix("'") for name in COLUMNS}
        for row in rows
    }


def _of_duckdb(folder: Path) -> Texts:
    path = folder / "zimun.duckdb"
    if not path.exists():
        return {}
    with duckdb.connect(path, read_only=True) as reader:
        found = reader.sql(f"SELECT appointment_id, {', '.join(COLUMNS)} FROM appointments")
        rows = found.fetchall()
    return {
        key: {name: value or "" for name, value in zip(COLUMNS, values, strict=True)}
        for key, *values in rows
    }


_BUILD: Final[Mapping[Kind, Callable[[Path], Sink]]] = {"csv": _csv, "duckdb": _duckdb}
_READ: Final[Mapping[Kind, Callable[[Path], Texts]]] = {"csv": _of_csv, "duckdb": _of_duckdb}
