"""How much memory DuckDB may use, for as long as it needs less than it may have."""

from collections.abc import Iterator
from contextlib import contextmanager
from string import ascii_letters
from typing import Final

import duckdb

from zimun_connectors.duckdb import sql

#: What of its memory is enough for an append of more rows than that, of the usual width. One of
#: more than a row group goes to the file at once; a shorter one waits in memory for a checkpoint.
_SHARES: Final = ((sql.ROW_GROUP_SIZE, 0.25), (1_000, 0.5))


@contextmanager
def enough_memory(connection: duckdb.DuckDBPyConnection, limit: str, rows: int) -> Iterator[None]:
    """Let DuckDB use no more memory during the block than appending so many rows takes.

    Without this it would keep what a long load appends, which nobody is going to read soon.

    Args:
        connection: of the database; no transaction is open.
        limit: what it may use otherwise, such as `96MB`, and has again afterwards.
        rows: how many are appended.

    Raises:
        duckdb.OutOfMemoryException: it holds more already, and cannot let go of it.
    """
    share = next((share for more_than, share in _SHARES if rows > more_than), None)
    if share is None:
        yield
        return
    amount = limit.rstrip(ascii_letters + " ")
    _allow(connection, f"{int(amount) * share}{limit.removeprefix(amount)}")
    try:
        yield
    finally:
        _allow(connection, limit)


def _allow(connection: duckdb.DuckDBPyConnection, limit: str) -> None:
    connection.execute(f"SET memory_limit = {sql.literal(limit)}")
