"""How much memory DuckDB may use, for as long as it needs less than it may have."""

from collections.abc import Iterator
from contextlib import contextmanager
from string import ascii_letters
from typing import Final

import duckdb

from zimun_connectors.duckdb import sql

#: What of its memory is enough for a long append of rows of the usual width.
_SHARE: Final = 0.25


@contextmanager
def little_memory(connection: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Let DuckDB use a share of its memory during the block, and all of it afterwards.

    Args:
        connection: of the database; no transaction is open.
        limit: what it may use otherwise, such as `96MB`.

    Raises:
        duckdb.OutOfMemoryException: it holds more already, and cannot let go of it.
    """
    amount = limit.rstrip(ascii_letters + " ")
    _allow(connection, f"{int(amount) * _SHARE}{limit.removeprefix(amount)}")
    try:
        yield
    finally:
        _allow(connection, limit)


def _allow(connection: duckdb.DuckDBPyConnection, limit: str) -> None:
    connection.execute(f"SET memory_limit = {sql.literal(limit)}")
