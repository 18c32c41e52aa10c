"""How much memory DuckDB needs for an append, which may be less than it may have."""

from collections.abc import Iterator
from contextlib import contextmanager
from string import ascii_letters
from typing import Final

import duckdb

from zimun_connectors.duckdb import sql

#: What of its memory is enough for an append of more rows than that, of the usual width. One of
#: more than a row group goes to the file at once; a shorter one waits in memory for a checkpoint.
_SHARES: Final = ((sql.ROW_GROUP_SIZE, 0.25), (1_000, 0.5))


def enough_for(rows: int, limit: str) -> str | None:
    """What is enough to append so many rows of the usual width; None: all that there is.

    With more, DuckDB would keep what a load appends, which nobody is going to read soon.

    Args:
        rows: how many are appended.
        limit: what DuckDB may use, such as `96MB`.
    """
    amount = limit.rstrip(ascii_letters + " ")
    shares = (share for more_than, share in _SHARES if rows > more_than)
    return next((f"{int(amount) * share}{limit.removeprefix(amount)}" for share in shares), None)


@contextmanager
def memory_of(connection: duckdb.DuckDBPyConnection, enough: str, limit: str) -> Iterator[None]:
    """Let DuckDB use no more than `enough` during the block, and `limit` again afterwards.

    Raises:
        duckdb.OutOfMemoryException: it was not enough; no transaction may have been open before.
    """
    _allow(connection, enough)
    try:
        yield
    finally:
        _allow(connection, limit)


def _allow(connection: duckdb.DuckDBPyConnection, limit: str) -> None:
    connection.execute(f"SET memory_limit = {sql.literal(limit)}")
