"""Analysts at work: they ask the same questions again and again, and tell every answer.

Usage: python reader.py DATABASE KIND. Kinds:

    kept   one connection for the whole time
    anew   a connection for each round
    pool   four threads sharing the connections of SQLAlchemy's pool, as BI tools do; none gets
           older than two seconds
    slow   one statement whose result is read a little at a time until the end
    probe  one connection and the lightest question, twenty times a second

Ends when standard input closes. Standard output: one JSON object an answer, for `Answer`. An
error ends it with a traceback.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import duckdb
from sqlalchemy.pool import QueuePool

from tests.acceptance.answers import MARK, Answer

Connect = Callable[[], AbstractContextManager[Any]]

PRESENT = f"""\
WITH a AS MATERIALIZED (SELECT * FROM appointments)
SELECT count(*), count(DISTINCT appointment_id), max(_seq), bit_xor(hash(a)),
       count(*) FILTER (
           ends_at <> starts_at + duration_minutes * INTERVAL 1 MINUTE
           OR starts_with(notes, '{MARK}') AND (
               contact_name IS DISTINCT FROM notes
               OR contact_email IS DISTINCT FROM replace(notes, ' ', '.') || '@example.com')),
       list(notes) FILTER (starts_with(notes, '{MARK}'))
FROM a"""
JOINED = """\
SELECT count(*) FROM appointments a
LEFT JOIN services s USING (_source, service_id) LEFT JOIN staff t USING (_source, staff_id)
WHERE (a.service_id IS NOT NULL AND s.name IS NULL) OR (a.staff_id IS NOT NULL AND t.name IS NULL)
"""
HISTORY = """\
WITH v AS (
    SELECT appointment_id, valid_to, is_deleted, lead(valid_from) OVER (
        PARTITION BY _source, appointment_id ORDER BY valid_from, valid_to NULLS LAST) AS next
    FROM appointment_history)
SELECT count(DISTINCT appointment_id) FILTER (valid_to IS NULL AND NOT is_deleted),
       count(*) FILTER (valid_to IS DISTINCT FROM next) FROM v"""
TWICE = """\
SELECT count(*) FROM appointments a JOIN appointments b USING (_source, appointment_id)
WHERE a._seq <> b._seq"""
PROBE = f"SELECT notes FROM appointments WHERE starts_with(notes, '{MARK}')"

stop = threading.Event()
_told = threading.Lock()


def tell(what: dict[str, Any]) -> None:
    with _told:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


class Analyst:
    """Asks round after round, and remembers which changes were told."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._seen: set[str] = set()

    def work(self) -> None:
        while not stop.is_set():
            with self._connect() as connection:
                tell(asdict(self.ask(connection)))

    def ask(self, connection: Any) -> Answer:
        asked_at = time.monotonic()
        [(count, keys, seq, content, untied, notes)] = rows(connection, PRESENT)
        at = time.monotonic()
        [(orphans,)], [(straddled,)] = rows(connection, JOINED), rows(connection, TWICE)
        standing, gaps = self._history(connection)
        changes = self.news(notes or [])
        context = (changes, orphans, standing, gaps, straddled)
        return Answer(asked_at, at, count, keys, seq, content, untied, *context)

    def news(self, notes: list[str]) -> list[int]:
        """Numbers of the changes that were not told yet."""
        new = set(notes) - self._seen
        self._seen |= new
        return sorted(int(note.removeprefix(MARK)) for note in new)

    def _history(self, connection: Any) -> tuple[int | None, int]:
        known = "SELECT 1 FROM duckdb_views() WHERE view_name = 'appointment_history'"
        if not rows(connection, known):
            return None, 0
        ((standing, gaps),) = rows(connection, HISTORY)
        return standing, gaps


def rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
    return found


def connected(database: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(database, read_only=True, config={"threads": 1})


def kept(database: str) -> None:
    with connected(database) as connection:

        @contextmanager
        def same() -> Iterator[Any]:
            yield connection

        Analyst(same).work()


def anew(database: str) -> None:
    Analyst(lambda: connected(database)).work()


def pool(database: str) -> None:
    creator: Any = partial(connected, database)
    connections = QueuePool(
        creator,
        pool_size=3,
        max_overflow=1,
        recycle=2,
        reset_on_return=None,  # DuckDB has nothing to roll back and says so
    )
    with ThreadPoolExecutor(4) as threads:
        analysts = [Analyst(lambda: closing(connections.connect())) for _ in range(4)]
        for ended in [threads.submit(analyst.work) for analyst in analysts]:
            ended.result()


def slow(database: str) -> None:
    """One answer at the end: that of the instant in which the statement began."""
    with connected(database) as connection:
        tell({"began": time.monotonic()})
        connection.execute("SELECT appointment_id, _seq FROM appointments")
        found: list[tuple[str, int]] = []
        while not stop.wait(0.05) and (part := connection.fetchmany(1)):
            found += part
        found += connection.fetchall()
        keys = len({key for key, _ in found})
        tell({"rows": len(found), "keys": keys, "seq": max(seq for _, seq in found)})


def probe(database: str) -> None:
    with connected(database) as connection:
        analyst = Analyst(lambda: closing(connection))
        while not stop.wait(0.05):
            notes = [note for (note,) in rows(connection, PROBE)]
            at = time.monotonic()
            if new := analyst.news(notes):
                tell({"at": at, "changes": new})


def main(database: str, kind: str) -> None:
    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    {"kept": kept, "anew": anew, "pool": pool, "slow": slow, "probe": probe}[kind](database)


if __name__ == "__main__":
    main(*sys.argv[1:])
