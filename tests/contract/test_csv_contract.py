"""The CSV sink passes the contract, under each way of spelling that loses nothing."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from zimun_connectors.csv import CsvSettings, connector
from zimun_sync.model import Column, ColumnType, Stream
from zimun_sync.sinks import Sink
from zimun_sync.testing import SinkContract, files_with

_PARSE: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.INTEGER: int,
    ColumnType.BOOLEAN: {"true": True, "false": False}.__getitem__,
    ColumnType.DECIMAL: Decimal,
    ColumnType.INSTANT: datetime.fromisoformat,
    ColumnType.LOCAL_TIME: datetime.fromisoformat,
    ColumnType.DATE: date.fromisoformat,
    ColumnType.JSON: str,
}


class CsvHarness:
    """Reads the files with Python's own `csv` module."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings

    def make(self) -> Sink:
        settings = CsvSettings.model_validate({"path": "csv", **self.settings})
        return connector.build(settings, self.folder)

    def rows(self, stream: Stream, /) -> dict[tuple[str, str], Mapping[str, Any]]:
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for row in self._read(stream):
            place = (row["_source"], row[stream.key])
            assert place not in found, f"{place} is there twice"
            found[place] = row
        return found

    def unusable(self) -> Sink:
        (self.folder / "csv").write_text("a file where the folder should be")
        return self.make()

    def residue(self, text: str, /) -> list[str]:
        return files_with(self.folder, text)

    def _read(self, stream: Stream) -> Iterator[dict[str, Any]]:
        path = self.folder / "csv" / f"{stream.name}.csv"
        delimiter = self.settings.get("delimiter", ",")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter=delimiter, strict=True):
                yield {
                    column.name: self._value(column, row[column.name]) for column in stream.columns
                }

    def _value(self, column: Column, cell: str) -> Any:
        if column.type is ColumnType.TEXT:
            return cell.removeprefix("'")
        if not cell:
            return None
        if column.type is ColumnType.DECIMAL:
            cell = cell.replace(self.settings.get("decimal_separator", "."), ".")
        return _PARSE[column.type](cell)


class TestCsvContract(SinkContract):
    def harness(self, folder: Path) -> CsvHarness:
        return CsvHarness(folder)

    def seen(self, stream: Stream, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: _without_null(stream, name, value) for name, value in row.items()}


class TestCsvContractOtherSpelling(TestCsvContract):
    def harness(self, folder: Path) -> CsvHarness:
        return CsvHarness(
            folder, delimiter=";", decimal_separator=",", line_ending="lf", changes=True
        )


def _without_null(stream: Stream, name: str, value: Any) -> Any:
    """Python's `csv` module tells no NULL from an empty text; `test_csv_null` does."""
    is_text = any(
        column.name == name and column.type is ColumnType.TEXT for column in stream.columns
    )
    return "" if value is None and is_text else value
