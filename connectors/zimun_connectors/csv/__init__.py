"""The `csv` connector: one file a stream, for spreadsheets and scripts."""

from pathlib import Path

from zimun_connectors.csv.config import CsvSettings
from zimun_connectors.csv.sink import CsvSink
from zimun_sync.sinks import Connector

__all__ = ["CsvSettings", "CsvSink", "connector"]


def _build(settings: CsvSettings, folder: Path) -> CsvSink:
    return CsvSink(settings, folder)


connector = Connector(
    name="csv",
    summary="A CSV file per stream, replaced as a whole, that opens in any spreadsheet.",
    settings=CsvSettings,
    build=_build,
)
