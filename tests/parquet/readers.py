"""Reads streams as the docs tell users to, in a process of its own: python readers.py ENGINE.

Takes pickled pairs of a sink's folder and a stream's name from standard input, and answers each
with the columns' names and the rows.
"""

import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

Rows = tuple[list[str], list[tuple[Any, ...]]]


def with_duckdb(folder: Path, stream: str) -> Rows:
    """By SQL alone, the version found through the manifest."""
    import duckdb

    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(
            f"SET VARIABLE zimun = (SELECT '{folder}/' || (content->>'$.path')"
            f" FROM read_text('{folder}/current/_manifest.json'))"
        )
        found = db.sql(f"FROM read_parquet(getvariable('zimun') || '/{stream}/**/*.parquet')")
        return found.columns, found.fetchall()


def with_pyarrow(folder: Path, stream: str) -> Rows:
    """As a data set of the folder that `current` points to."""
    import pyarrow.dataset as ds

    version = (folder / "current").resolve()
    table = ds.dataset(version / stream, partitioning="hive").to_table()
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, list(zip(*columns, strict=True))


def main(engine: str) -> None:
    """Answer until standard input ends."""
    read = {"duckdb": with_duckdb, "pyarrow": with_pyarrow}[engine]
    with suppress(EOFError):
        while True:
            pickle.dump(read(*pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
