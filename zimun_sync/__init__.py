"""zimun-sync keeps a business's own tools true to its Zimun bookings."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def connect(
    config: str | os.PathLike[str] | None = None, sink: str | None = None, *, timezone: str = "UTC"
) -> "DuckDBPyConnection":
    """A read-only DuckDB connection to the current data, for notebooks and scripts.

    It may stay open for days and keeps nobody waiting: each statement sees the data as of the
    moment it starts. Close it as any DuckDB connection. One that `cursor()` makes is in the time
    zone of the machine until it is told another.

    Args:
        config: the configuration file; None looks in the usual places.
        sink: the `duckdb` sink to read; None for the only one.
        timezone: IANA zone of the session, in which instants are shown and cut into days.
            Columns of wall-clock time, such as `local_start`, do not depend on it.

    Raises:
        ConfigError: the configuration is wrong or has no such sink, or there is no such zone.
        ZimunSyncError: the sink has not been filled yet, or cannot be opened.
    """
    from zimun_sync.querying import connect as opened  # DuckDB is loaded by those who ask for it

    return opened(config, sink, timezone=timezone)
