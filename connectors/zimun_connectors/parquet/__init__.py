"""The `parquet` connector: a folder of Parquet files, one whole version after the other."""

from pathlib import Path

from zimun_connectors.parquet.config import ParquetSettings
from zimun_connectors.parquet.sink import ParquetSink
from zimun_sync.sinks import Connector

__all__ = ["ParquetSettings", "ParquetSink", "connector"]


def _build(settings: ParquetSettings, folder: Path) -> ParquetSink:
    return ParquetSink(settings, folder)


connector = Connector(
    name="parquet",
    summary="Parquet files by month, in versions that change in one step, for any query engine.",
    settings=ParquetSettings,
    build=_build,
)
