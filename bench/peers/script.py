"""What a careful person writes by hand: httpx, orjson and upserts into DuckDB.

It keeps no state: no checkpoints, no retries, no deletions, no quarantine, and it holds the
database file for itself while it writes. Run again, it brings each appointment up to date.
"""

from collections.abc import Sequence
from typing import Any, Final

import duckdb

from peers.rows import COLUMNS, table
from peers.zimun import Job, pages

#: Records in one transaction; twice or half as many take as long.
BATCH: Final = 20_000
_CREATE = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_SELECT = ", ".join(f"{name}::{kind}" for name, kind in COLUMNS.items())


def upsert(connection: duckdb.DuckDBPyConnection, items: Sequence[dict[str, Any]]) -> None:
    """Replace these appointments in one transaction."""
    connection.register("batch", table(items))
    connection.execute("BEGIN")
    connection.execute(
        "DELETE FROM appointments a USING batch b WHERE a.appointment_id = b.appointment_id"
    )
    connection.execute(f"INSERT INTO appointments SELECT {_SELECT} FROM batch")
    connection.execute("COMMIT")


def main() -> None:
    """Bring the database up to date with the source."""
    job = Job.told()
    with duckdb.connect(job.database) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS appointments ({_CREATE})")
        waiting: list[dict[str, Any]] = []
        for items in pages(job):
            waiting += items
            if len(waiting) >= BATCH:
                upsert(connection, waiting)
                waiting.clear()
        upsert(connection, waiting)


if __name__ == "__main__":
    main()
