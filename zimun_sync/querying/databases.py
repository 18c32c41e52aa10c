"""The database that a `duckdb` sink publishes: which file it is, and opening it for reading."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zimun_sync.errors import ConfigError, ZimunSyncError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from zimun_sync.config import Config

_CONNECTOR = "duckdb"
_ADD_ONE = (
    "Add one under `sinks`, such as `analytics: {type: duckdb, path: var/zimun.duckdb}`, then "
    "`zimun-sync backfill --sink analytics` fills it."
)


def connect(
    config: str | os.PathLike[str] | None = None, sink: str | None = None, *, timezone: str = "UTC"
) -> "DuckDBPyConnection":
    """A read-only connection to the current data; `zimun_sync.connect` tells the rest."""
    from zimun_sync.config import load

    try:
        settings = load(None if config is None else Path(config))
        return open_published(published(settings, sink), timezone)
    except ZimunSyncError as error:
        if error.hint:
            error.add_note(f"what to do: {error.hint}")  # a notebook shows nothing but these
        raise


def published(config: "Config", sink: str | None = None) -> Path:
    """The file that readers of a `duckdb` sink open; it need not be there yet.

    Args:
        config: the configuration.
        sink: the sink's name; None for the only one of its kind.

    Raises:
        ConfigError: there is no such sink, or several to choose from.
    """
    settings = cast("Any", config.sinks[_chosen(config, sink)].settings)
    path: Path = (config.folder / settings.path).absolute()
    if settings.reader_root is not None:
        seen = Path(settings.reader_root) / path.name
        return seen if seen.exists() else path
    return path


def _chosen(config: "Config", sink: str | None) -> str:
    names = [name for name, each in config.sinks.items() if each.connector.name == _CONNECTOR]
    if sink is not None and sink not in config.sinks:
        raise ConfigError(
            f"There is no sink named {sink!r} in {config.file}.",
            hint=f"Its duckdb sinks: {', '.join(names)}." if names else _ADD_ONE,
        )
    if sink is not None and sink not in names:
        kind = config.sinks[sink].connector.name
        raise ConfigError(
            f"Sink {sink} is of type {kind}: only what a duckdb sink publishes can be queried.",
            hint=f"Name one of these: {', '.join(names)}." if names else _ADD_ONE,
        )
    if not names:
        raise ConfigError(f"There is no duckdb sink in {config.file}.", hint=_ADD_ONE)
    if sink is None and len(names) > 1:
        raise ConfigError(
            "There are several duckdb sinks.", hint=f"Name one of them: {', '.join(names)}."
        )
    return sink or names[0]


def open_published(path: Path, timezone: str = "UTC") -> "DuckDBPyConnection":
    """A read-only connection to a published database.

    Args:
        path: what `published` found.
        timezone: IANA zone of the session, in which instants are shown and dates are cut.

    Raises:
        ConfigError: there is no such time zone.
        ZimunSyncError: it is not filled yet, or cannot be opened.
    """
    import duckdb

    if not path.exists():
        raise ZimunSyncError(
            f"There is no data yet: {path} is not there.",
            hint="`zimun-sync sync` pulls and fills it; `zimun-sync backfill` fills it from what "
            "is stored.",
        )
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise ZimunSyncError(
            f"{path} cannot be opened: {error}",
            hint="Close it in programs that have it open for writing; readers share it.",
        ) from error
    try:
        connection.execute("SET TimeZone = ?", [timezone])
    except duckdb.Error as error:
        connection.close()
        raise ConfigError(
            f"{timezone!r} is not a time zone: {error}", hint="Name one such as Europe/Berlin."
        ) from error
    return connection
