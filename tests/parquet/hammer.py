"""A reader in a process of its own: asks the same question until told to stop, prints answers.

Usage: python hammer.py WAY FOLDER. The question: the number of the write that is seen, how many
different ones are seen, and how many records. Ends when standard input closes; an error ends it
with a traceback, which the test sees as a wrong answer.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

stop = threading.Event()
Answer = tuple[int, int, int]

QUESTION = "SELECT max(notes::INTEGER), count(DISTINCT notes), count(*) FROM read_parquet({})"


def duckdb_by_manifest(folder: Path) -> Callable[[], Answer]:
    """The files that the manifest names, found and read by SQL alone."""
    import duckdb

    db = duckdb.connect()
    manifest = f"{folder}/current/_manifest.json"
    find = (
        f"SET VARIABLE zimun = (SELECT '{folder}/' || (content->>'$.path')"
        f" FROM read_text('{manifest}'))"
    )
    read = QUESTION.format("getvariable('zimun') || '/appointments/**/*.parquet'")

    def ask() -> Answer:
        db.execute(find)
        return db.execute(read).fetchall()[0]

    return ask


def pandas_by_folder(folder: Path) -> Callable[[], Answer]:
    """The link resolved once, then pandas."""
    import pandas as pd

    def ask() -> Answer:
        version = (folder / "current").resolve()
        notes = pd.read_parquet(version / "appointments", columns=["notes"])["notes"]
        return int(notes.astype(int).max()), int(notes.nunique()), len(notes)

    return ask


def _wait() -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    ask = globals()[sys.argv[1]](Path(sys.argv[2]))
    threading.Thread(target=_wait, daemon=True).start()
    while not stop.is_set():
        sys.stdout.write(" ".join(map(str, ask())) + "\n")
        sys.stdout.flush()
