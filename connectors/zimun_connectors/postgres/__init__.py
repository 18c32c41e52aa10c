"""The `postgres` connector: a warehouse on PostgreSQL, a table for every stream."""

from pathlib import Path

from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.sink import PostgresSink
from zimun_sync.sinks import Connector

__all__ = ["PostgresSettings", "PostgresSink", "connector"]


def _build(settings: PostgresSettings, folder: Path) -> PostgresSink:  # noqa: ARG001 - no files
    return PostgresSink(settings)


connector = Connector(
    name="postgres",
    summary="A warehouse on PostgreSQL: a typed, commented table for every stream.",
    settings=PostgresSettings,
    build=_build,
)
