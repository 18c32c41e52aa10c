"""Forks writers that are killed, and checks after each what they left: `test_store_kills.py`.

    python kill_drill.py creation FOLDER
    python kill_drill.py statements URL FOLDER
    python kill_drill.py instants URL FOLDER
    python kill_drill.py memory URL FOLDER
    python kill_drill.py migration URL FOLDER SCHEMA EVERY

A program of its own, because forking wants a process without threads.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from zimun_sync.ids import IdState, Known
from zimun_sync.model import SERVICES
from zimun_sync.normalize import Normalized, Normalizer, Places, Refused, Rules
from zimun_sync.store import Lease, PageRecords, Run, RunStatus, Store
from zimun_sync.store.database import parse_url
from zimun_sync.store.inspection import look_at
from zimun_sync.store.revisions import HEAD

PAGES, GOOD, BAD = 40, 10, 1
#: Kills in the midst of a run that `instants` goes on for.
KILLS = 8
_NORMALIZER = Normalizer(SERVICES, Rules({}, {}), Places())
_SLOW_COMMITS = """
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(random() * 0.05); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON runs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()
"""
_FILE_EVENTS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename"}


def killed(work: Callable[[], None]) -> bool:
    """Do the work in a process of its own; whether that was killed before it had finished."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the fork must not go on as its parent
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def die_at(step: int, *, files: bool = True) -> None:
    """Be killed at the given touch of the database, or of a file too, counted from here."""
    steps = count(1)

    def take(*_arguments: Any, **_options: Any) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    if files:
        sys.addaudithook(lambda event, _arguments: take() if event in _FILE_EVENTS else None)
    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(Engine, event, take)


def creation(folder: Path) -> int:
    """Kill the first start at each of its steps; the next start must make one whole state."""
    for step in count(1):
        place = folder / str(step)
        place.mkdir()

        def first_start(place: Path = place, step: int = step) -> None:
            die_at(step)
            Store.open("sqlite:///state.db", place).close()

        if not killed(first_start):
            return step
        with Store.open("sqlite:///state.db", place) as store:
            store.add_source("main")
            assert store.feed.heads() == {"main": 0}
        assert [path.name for path in place.iterdir()] == ["state.db"], (
            step,
            list(place.iterdir()),
        )
    raise AssertionError


class Drill:
    """One state that is written by processes that die."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.generation = 1

    def open(self) -> Store:
        return Store.open(self.url, self.folder)

    def write(self, arm: Callable[[], None], pages: int = PAGES) -> None:
        """Resume the run, be mortal, and store up to so many pages."""
        with self.open() as store:
            store.add_source("main")
            lease = store.leases.acquire("source:main")
            run = store.runs.begin(lease, "main", "services", f"generation {self.generation}")
            arm()
            for _ in range(pages):
                if run.listing_complete:
                    break
                run = self.store_page(store, lease, run)
            store.leases.release(lease)

    def store_page(self, store: Store, lease: Lease, run: Run) -> Run:
        number = int(run.page_token or 0)
        refused = [Refused(f"bad {number}", "no-time", "It has no time.", b"{}")]
        then = str(number + 1) if number + 1 < PAGES else None
        page = PageRecords(self.records(number), refused, then, 0)
        return store.pages.commit(lease, run, page).run

    def records(self, number: int) -> list[Normalized]:
        """A page's records; half of them bring a record of the page before once more, changed."""
        keys = range(number * GOOD // 2, number * GOOD // 2 + GOOD)
        version = f"1970-01-01T00:{self.generation:02}:{number:02}Z"
        return [
            _NORMALIZER.normalize(
                json.dumps({"service_id": f"k{key}", "updated_at": version}).encode()
            )
            for key in keys
        ]

    def check(self) -> int:
        """Whether a successor finds everything agreeing with the checkpoint; the pages stored.

        A successor takes the lease: PostgreSQL may still be committing for the one that died.
        """
        with self.open() as store:
            lease = store.leases.acquire("source:main")
            pages = self.check_run(store)
            store.leases.release(lease)
        return pages

    def check_run(self, store: Store) -> int:
        run = store.runs.latest("main", "services")
        if run is None or run.parameters != f"generation {self.generation}":
            return 0
        assert run.page_token == (str(run.pages) if 0 < run.pages < PAGES else None)
        assert (run.records, run.quarantined) == (run.pages * (GOOD + BAD), run.pages * BAD)
        assert run.changed == run.pages * GOOD
        self.check_content(store, run.pages)
        return run.pages

    def check_content(self, store: Store, pages: int) -> None:
        seen = {f"bad {number}" for number in range(pages if self.generation == 1 else PAGES)}
        assert {entry.key for entry in store.quarantine.entries()} == seen
        expected = {
            record.key: record.row_hash.hex()
            for number in range(pages)
            for record in self.records(number)
        }
        changes = store.feed.changes("main", "services", 0, 100_000)
        held = {change.key: change.hash for change in changes}
        assert expected.items() <= held.items()
        assert self.generation > 1 or len(held) == len(expected)
        last = PAGES * GOOD * (self.generation - 1) + pages * GOOD
        assert store.feed.heads() == {"main": last}
        assert not changes or changes[-1].seq == last

    def finish(self) -> None:
        """End the run, and begin the next one at another version."""
        with self.open() as store:
            lease = store.leases.acquire("source:main")
            run = store.runs.latest("main", "services")
            assert run is not None
            ended = store.runs.succeed(lease, run, listed_everything=False)
            assert ended.status == RunStatus.SUCCEEDED
            store.leases.release(lease)
        self.generation += 1


def statements(drill: Drill) -> int:
    """Kill the storing of a page before each of its statements."""
    drill.write(lambda: None, pages=1)
    for step in count(1):
        before = drill.check()
        died = killed(lambda step=step: drill.write(lambda: die_at(step), pages=1))  # type: ignore[misc]
        # Giving the lease back, after the commit, can be died at too.
        assert drill.check() in ((before, before + 1) if died else (before + 1,))
        if not died:
            return step
    raise AssertionError


def instants(drill: Drill) -> int:
    """Kill run after run at instants that have nothing to do with what they do."""
    chance = random.Random(5)
    kills = 0
    drill.open().close()
    if drill.url.startswith("postgresql"):
        take_long_to_commit(drill.url)

    def arm() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)  # nobody handles SIGALRM: it kills

    while kills < KILLS:
        seconds = chance.uniform(0.001, 0.15)
        before = drill.check()
        died = killed(lambda: drill.write(arm))
        pages = drill.check()
        assert pages >= before
        kills += died and 0 < pages < PAGES
        if pages == PAGES:
            drill.finish()
    return kills


def take_long_to_commit(url: str) -> None:
    """Have PostgreSQL take up to a twentieth of a second to commit a page, so that kills hit it."""
    engine = sa.create_engine(parse_url(url, Path()))
    with engine.begin() as connection:
        connection.exec_driver_sql(_SLOW_COMMITS)
    engine.dispose()


def memory(drill: Drill) -> int:
    """Kill a sink before each statement of what it remembers of a create."""
    drill.open().close()
    for step in count(1):
        done = drill.folder / f"done-{step}"
        died = killed(lambda step=step, done=done: remember(drill, step, done))  # type: ignore[misc]
        check_memory(drill, f"main/{step}", done.read_text().split())
        if not died:
            return step
    raise AssertionError


def remember(drill: Drill, step: int, done: Path) -> None:
    """Count a create, remember its intent and whose it is, then that it is there."""
    key = f"main/{step}"
    with drill.open() as store, done.open("wb", buffering=0) as log:
        lease = store.leases.acquire("sink:crm")
        crm = store.memory("crm", lease)
        die_at(step)
        crm.spend(key, 1, 1)
        log.write(b"spent ")
        crm.save("appointment", [Known(key, IdState.INTENDED, token="t")], {f"email:{key}": key})
        log.write(b"intended ")
        crm.save("appointment", [Known(key, IdState.LINKED, "7", token="t")])
        log.write(b"linked ")
        store.leases.release(lease)


def check_memory(drill: Drill, key: str, done: list[str]) -> None:
    """Whether what was done is remembered, and nothing by half."""
    with drill.open() as store:
        lease = store.leases.acquire("sink:crm")
        crm = store.memory("crm", lease)
        known = crm.known("appointment", [key]).get(key)
        assert (known is not None) == bool(crm.aliases([f"email:{key}"]))
        assert known is not None or "intended" not in done
        assert known is None or known.state is IdState.LINKED or "linked" not in done
        assert "spent" not in done or not crm.spend(key, 1, 1)
        store.leases.release(lease)


def migration(url: str, folder: Path, schema: str, every: int) -> int:
    """Kill the first start of this release before every so many-th statement or commit."""
    for step in count(1, every):

        def first_start(step: int = step) -> None:
            die_at(step, files=False)
            Store.open(url, folder).close()

        found = look_at(url, folder).facts.schema
        if not killed(first_start):
            assert look_at(url, folder).facts.schema == HEAD
            return step
        assert found == schema, step
    raise AssertionError


def main(drill: str, *arguments: str) -> None:
    if drill == "creation":
        done = creation(Path(arguments[0]))
    elif drill == "migration":
        done = migration(arguments[0], Path(arguments[1]), arguments[2], int(arguments[3]))
    else:
        work = {"statements": statements, "instants": instants, "memory": memory}[drill]
        done = work(Drill(arguments[0], Path(arguments[1])))
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
