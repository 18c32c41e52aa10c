"""The `duckdb` connector: analysts query it at any time, while it is being written."""

from importlib.util import find_spec
from pathlib import Path

from zimun_connectors.duckdb.config import DuckdbSettings
from zimun_connectors.duckdb.sink import DuckdbSink
from zimun_sync.sinks import Connector

if find_spec("pyarrow") is None:  # it is loaded with the first rows; that it is missing is told now
    raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")

__all__ = ["DuckdbSettings", "DuckdbSink", "connector"]


def _build(settings: DuckdbSettings, folder: Path) -> DuckdbSink:
    return DuckdbSink(settings, folder)


connector = Connector(
    name="duckdb",
    summary="A DuckDB database that analysts and BI tools query at any time.",
    settings=DuckdbSettings,
    build=_build,
)
