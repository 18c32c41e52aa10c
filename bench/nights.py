"""How state and DuckDB grow with nightly syncs of a source that changes by 1% in between."""

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any, Final

import duckdb
from changes import change
from rounds import DUCKDB
from sizes import Plan
from source import sandbox

#: The most that the size after the last night may be of that after the first sync.
TARGET: Final = 1.5
#: Seconds between two syncs: nights are further apart than a reader's longest hold on a snapshot.
_APART: Final = 11.0
_MB: Final = 1e6


def nights(rows: int, count: int, plan: Plan) -> dict[str, Any]:
    """Sizes in MB after the first sync and after so many nights; contents proved each night."""
    with sandbox(rows) as api, plan.round(api, 0) as now:
        _ = now.first
        folder = now.folder / "first"
        first = last = sizes(folder)
        _tell(f"{rows:,} rows, first sync", first)
        for night in range(1, count + 1):
            rested = time.monotonic() + _APART
            change(api, night)
            time.sleep(max(0.0, rested - time.monotonic()))
            measured = now.sync("first", DUCKDB)
            last = sizes(folder)
            _tell(f"{rows:,} rows, night {night} of {count}, {measured.wall:.2f} s", last)
    return {
        "rows": rows,
        "nights": count,
        "first": first,
        "last": last,
        "ratio": {
            name: (last[f"{name}_mb"] - last[f"{name}_history_mb"])
            / (first[f"{name}_mb"] - first[f"{name}_history_mb"])
            for name in ("state", "duckdb")
        },
        "target": TARGET,
    }


def sizes(folder: Path) -> dict[str, float]:
    """MB of the state and of all of DuckDB's files, and what of that is history.

    Space that is free within a file counts as used: it is not history.
    """
    data = folder / "zimun.data"
    files = [folder / "zimun.duckdb", *(file for file in data.rglob("*") if file.is_file())]
    databases = [file for file in files if file.suffix == ".duckdb"]
    found = {
        "state_mb": sum(file.stat().st_size for file in folder.glob("state.db*")),
        "state_history_mb": _state_history(folder / "state.db"),
        "duckdb_mb": sum(file.stat().st_size for file in files),
        "duckdb_history_mb": sum(map(_duckdb_history, databases)),
    }
    return {name: round(size / _MB, 2) for name, size in found.items()}


def _state_history(state: Path) -> int:
    """Bytes of the history's table and its indexes."""
    connection = sqlite3.connect(f"file:{state}?mode=ro", uri=True)
    try:
        query = (
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat "
            "WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'history')"
        )
        ((size,),) = connection.execute(query).fetchall()
    finally:
        connection.close()
    return int(size)


def _duckdb_history(database: Path) -> int:
    """Bytes of the blocks that only the table of versions uses."""
    with duckdb.connect(database, read_only=True) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        ]
        ((block,),) = connection.execute("SELECT block_size FROM pragma_database_size()").fetchall()
        blocks = {name: _blocks(connection, name) for name in tables}
    history = {each for name, used in blocks.items() if "versions" in name for each in used}
    others = {each for name, used in blocks.items() if "versions" not in name for each in used}
    return int(block) * len(history - others)


def _blocks(connection: duckdb.DuckDBPyConnection, table: str) -> set[int]:
    query = "SELECT DISTINCT block_id, additional_block_ids FROM pragma_storage_info(?)"
    rows = connection.execute(query, [table]).fetchall()
    return {each for first, more in rows for each in (first, *(more or ())) if (each or -1) >= 0}


def _tell(where: str, size: dict[str, float]) -> None:
    """One line a night, while it goes on."""
    print(
        f"{where}: state {size['state_mb']:.1f} MB, of it history {size['state_history_mb']:.1f}; "
        f"DuckDB {size['duckdb_mb']:.1f} MB, of it versions {size['duckdb_history_mb']:.1f}",
        file=sys.stderr,
        flush=True,
    )
