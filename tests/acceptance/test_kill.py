"""`kill -9` at any instant: nothing is lost, nothing doubles, hardly a page is fetched again."""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.acceptance import contents
from tests.acceptance.asking import HTTP
from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import PATIENCE_SECONDS, Project, runs_for, runs_until
from tests.thorough import times
from zimun_sync.sandbox import Sandbox, read_fault

pytestmark = pytest.mark.acceptance

ROWS, PAGE = times(10_000, 20_000), 200
LAST_PAGE = ROWS // PAGE - 1
#: Where the kills fall: as the program starts and among the pages, then while sinks take what
#: is left once everything is listed.
EARLY = ["starting"] * times(2, 6) + ["listing"] * times(7, 18)
LATE = times(3, 6)
FETCHED_AGAIN_AT_MOST = 2


@dataclass(frozen=True, slots=True)
class Fetched:
    """The first and the last page of appointments that one process fetched."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Drill:
    """Kills syncs of one project, and notes which pages each of them fetched."""

    project: Project
    sandbox: Sandbox
    random: random.Random
    fetched: list[Fetched] = field(default_factory=list)

    def kill(self, phase: str) -> bool:
        """Start a sync and kill it in that phase; false if it was done before."""
        log = self.project.folder / "log"
        with (
            self._noting_pages(),
            log.open("w") as output,
            self.project.started("sync", stdout=output, stderr=output) as process,
        ):
            return self._reach(phase, process, log)

    def finish(self) -> None:
        """Sync to the end."""
        with self._noting_pages():
            ended = self.project.sync()
        assert ended.code == 0, ended.err

    def _reach(self, phase: str, process: subprocess.Popen[str], log: Path) -> bool:
        """Wait for a random instant of the phase; false if the process ends before it."""
        if phase == "starting":
            return runs_for(process, self.random.uniform(0, 0.5))
        if phase == "delivering":
            listed = "event=run_finished source=main stream=appointments"
            moment = self.random.uniform(0, 0.3)
            return runs_until(process, lambda: listed in log.read_text()) and runs_for(
                process, moment
            )
        pages = _served(self.sandbox).total() + self.random.randint(0, 3)
        moment = self.random.uniform(0, 0.005)
        return runs_until(process, lambda: _served(self.sandbox).total() >= pages) and runs_for(
            process, moment
        )

    @contextmanager
    def _noting_pages(self) -> Iterator[None]:
        before = _served(self.sandbox)
        yield
        _settle(self.sandbox)
        pages = sorted((_served(self.sandbox) - before).elements())
        if pages:
            assert pages == list(range(pages[0], pages[-1] + 1)), "a process lists once, in order"
            self.fetched.append(Fetched(pages[0], pages[-1]))


def _served(sandbox: Sandbox) -> Counter[int]:
    """How often each page of appointments was served."""
    starts = sandbox.observed.report()["pages"].get("appointments", {})
    return Counter({int(start) // PAGE: count for start, count in starts.items()})


def _settle(sandbox: Sandbox) -> None:
    """Wait until the sandbox has answered what a killed process had asked."""
    HTTP.get(sandbox.base_url)  # by then it has read what still lay in the killed one's sockets
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        report = sandbox.observed.report()
        if sum(report["requests"].values()) == sum(report["statuses"].values()):
            return
        assert time.monotonic() < deadline, "the sandbox hangs"


def test_kills_cost_at_most_two_pages_each(serve: Serve, new_project: NewProject) -> None:
    sandbox = serve(appointments=ROWS, latency_ms=3)
    project = new_project(sandbox.base_url)
    drill = Drill(project, sandbox, random.Random(20261120))
    for phase in drill.random.sample(EARLY, len(EARLY)):
        _kill(drill, phase)
    for _ in range(LATE):
        _kill(drill, "delivering")
    drill.finish()

    truth = contents.of_source(sandbox.control_url)
    assert truth["count"] == ROWS
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth
    _check_pages(drill.fetched, project)


def _kill(drill: Drill, phase: str) -> None:
    """A sync that was quick enough to end before it was killed does not count."""
    for _ in range(20):
        if phase == "delivering":
            _change(drill.sandbox, drill.random.randint(1, 1000), every=10)
        if drill.kill(phase):
            return
    raise AssertionError(f"no sync could be killed while {phase}")


def _change(sandbox: Sandbox, minutes: int, every: int) -> None:
    """Give every so many-th appointment another length."""
    for item in sandbox.world.appointments.window(0, ROWS).items[::every]:
        record = json.loads(item)
        record |= {"appointment_duration": minutes, "updated_at": datetime.now(UTC).isoformat()}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())


def _check_pages(fetched: list[Fetched], project: Project) -> None:
    """Each process went on where the one before it stood, or began the next listing."""
    begun = 1
    for before, after in pairwise(fetched):
        if before.last == LAST_PAGE and after.first == 0:
            begun += 1
        else:
            assert before.last + 1 - after.first <= FETCHED_AGAIN_AT_MOST
    runs = project.run("runs", "--json", "--limit", "10000").json
    # One that was killed before its first page was stored had nothing to go on from.
    listings = [run for run in runs if run["stream"] == "appointments" and run["pages"]]
    assert [run["status"] for run in listings] == ["succeeded"] * begun
    assert fetched[0].first == 0
    assert any(run["resumes"] for run in listings)


def test_what_a_killed_sync_wrote_is_seen_after_the_next_one(
    serve: Serve, new_project: NewProject
) -> None:
    """Sinks may put publishing off while more is to come; a kill must not put it off for good."""
    sandbox = serve(appointments=2 * PAGE)
    project = new_project(sandbox.base_url)
    assert project.sync().code == 0
    _change(sandbox, minutes=77, every=2 * PAGE)
    sandbox.faults.order(read_fault("429:page=2,retry_after=60"))
    log = project.folder / "log"
    with (
        log.open("w") as output,
        project.started(
            "sync", stdout=output, stderr=output, environment={"ZIMUN_SYNC_LOG__LEVEL": "debug"}
        ) as process,
    ):
        assert runs_until(
            process, lambda: log.read_text().count("event=batch_delivered") == len(project.sinks)
        )
    sandbox.faults.clear()
    ended = project.sync()
    assert (ended.code, ended.json["runs"][-1]["changed"]) == (0, 1)
    truth = contents.of_source(sandbox.control_url)
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth
