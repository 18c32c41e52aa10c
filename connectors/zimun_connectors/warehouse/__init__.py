"""The `warehouse` connector: BigQuery, Snowflake, Redshift, Delta and others, through dlt."""

from pathlib import Path

from zimun_connectors.warehouse.config import WarehouseSettings
from zimun_sync.errors import ConfigError
from zimun_sync.sinks import Connector, Sink

__all__ = ["WarehouseSettings", "connector"]


def _build(settings: WarehouseSettings, folder: Path) -> Sink:
    try:
        from zimun_connectors.warehouse.sink import WarehouseSink
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The connector 'warehouse' needs the Python package {error.name!r}.",
            hint="Install it: pip install 'zimun-sync[warehouse]'",
        ) from error
    return WarehouseSink(settings, folder)


connector = Connector(
    name="warehouse",
    summary="BigQuery, Snowflake, Redshift, Databricks, Delta and other warehouses, through dlt.",
    settings=WarehouseSettings,
    build=_build,
)
