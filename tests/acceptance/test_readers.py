"""Analysts read the database for as long as they like while syncs go on."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import duckdb
import pytest

from tests.acceptance import contents
from tests.acceptance.answers import Answer, faults
from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.daemon import until
from tests.acceptance.program import PATIENCE_SECONDS, Project
from tests.acceptance.reader import Analyst
from tests.thorough import times
from zimun_sync.sandbox import Sandbox, SandboxOptions

pytestmark = pytest.mark.acceptance

READER = Path(__file__).with_name("reader.py")
BENCH = Path(__file__).parents[2] / "bench" / "long_read.py"
ROWS, SYNCS = 3000, times(2, 5)
#: How long each phase of the long read takes; it changes 50 appointments a second.
SECONDS = times(2, 10)
#: Enough to be torn.
FEW = 300

#: A row of the delta that hides a newer one of the snapshot.
OLDER = """
INSERT INTO appointments BY NAME
SELECT * EXCLUDE (_hash, _stamp) REPLACE ('older' AS notes), false AS _deleted
FROM whole.appointments LIMIT 1
"""


@dataclass
class Told:
    """What a reader in a process of its own was answered."""

    answers: list[Answer] = field(default_factory=list)

    def listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.answers.append(Answer(**json.loads(line)))


@contextmanager
def reading(project: Project) -> Iterator[Told]:
    """Connected from before the block until its end."""
    command = [sys.executable, str(READER), str(project.database), "kept"]
    pipe, told = subprocess.PIPE, Told()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        listener = Thread(target=told.listen, args=(process,))
        listener.start()
        yield told
        assert process.stdin is not None
        process.stdin.close()
        listener.join(PATIENCE_SECONDS)
    assert process.returncode == 0


def test_a_reader_that_never_lets_go_sees_the_truth(serve: Serve, new_project: NewProject) -> None:
    sandbox = serve(appointments=ROWS)
    project = new_project(sandbox.base_url)
    assert project.sync().code == 0
    with reading(project) as told:
        until(lambda: told.answers, "the first answer")
        for number in range(SYNCS):
            lengthen(sandbox, 10 + number)
            ended = project.sync()
            assert ended.code == 0, ended.err
        seen = len(told.answers)
        until(lambda: len(told.answers) > seen + 1, "an answer to what was asked after the sync")
    assert faults(told.answers, ROWS) == []
    assert len({answer.seq for answer in told.answers}) > SYNCS
    assert contents.of_duckdb(project.database) == contents.of_source(sandbox.control_url)


def test_the_long_read_in_short(tmp_path: Path) -> None:
    """`make long-read` with few seconds: three readers and a pool, webhooks and full pulls."""
    out = tmp_path / "results.json"
    short = ["--rows", "1500", "--seconds", str(SECONDS), "--within", "600", "--out", str(out)]
    ended = subprocess.run(
        [sys.executable, BENCH, *short], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    results = json.loads(out.read_text())
    assert [phase["wrong"] for phase in results.values()] == [0, 0, 0]
    assert all(
        phase["changes"] == 50 * SECONDS and phase["publications"] for phase in results.values()
    )
    busy = results["three and a pool"]
    assert busy["answers_with_history"] == busy["answers"] > 4


class Published:
    """A database as readers find it, and what a wrong publication would make of it."""

    def __init__(self, project: Project, kept: Path) -> None:
        self._database = project.database
        self._data = project.database.with_name("zimun.data")
        self._kept = kept
        for name in ("snapshot.duckdb", "delta.duckdb"):
            shutil.copy(self._data / name, kept / name)

    def tear(self, name: str, statement: str) -> None:
        """Replace one of the two files by one that such a statement has changed."""
        torn = self._kept / f"torn-{name}"
        shutil.copy(self._kept / name, torn)
        with duckdb.connect(torn) as connection:
            connection.execute(f"ATTACH '{self._kept / 'snapshot.duckdb'}' AS whole (READ_ONLY)")
            connection.execute(statement)
        torn.replace(self._data / name)

    def mend(self) -> None:
        for file in self._kept.glob("*.duckdb"):
            shutil.copy(file, self._data / file.name)

    def ask(self) -> Answer:
        with duckdb.connect(self._database, read_only=True) as connection:
            return Analyst(lambda: nullcontext(connection)).ask(connection)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("torn")
    with Sandbox(SandboxOptions(appointments=FEW)) as sandbox:
        project = Project(folder / "project", sandbox.base_url)
        assert project.sync().code == 0
    (folder / "kept").mkdir()
    return Published(project, folder / "kept")


@pytest.fixture
def published(synced: Published) -> Iterator[Published]:
    yield synced
    synced.mend()


@pytest.mark.parametrize(
    ("file", "statement", "told"),
    [
        ("snapshot.duckdb", "DELETE FROM appointments WHERE rowid % 2 = 0", "instead of 300"),
        ("snapshot.duckdb", "INSERT INTO appointments FROM appointments LIMIT 1", "300 keys in"),
        (
            "snapshot.duckdb",
            "UPDATE appointments SET notes = 'change 2', contact_name = 'change 1' WHERE rowid = 9",
            "1 appointments of mixed versions",
        ),
        (
            "delta.duckdb",
            OLDER,
            "2 different contents at change",
        ),
        ("snapshot.duckdb", "DELETE FROM services", "appointments without their service"),
    ],
    ids=["lost", "doubled", "mixed", "older", "without its context"],
)
def test_a_torn_publication_is_noticed(
    published: Published, file: str, statement: str, told: str
) -> None:
    whole = published.ask()
    published.tear(file, statement)
    torn = published.ask()
    assert faults([whole, whole], FEW) == []
    assert any(told in fault for fault in faults([whole, torn], FEW))


def test_going_backwards_is_noticed(published: Published) -> None:
    before = published.ask()
    after = replace(before, asked_at=before.at + 1, at=before.at + 2, seq=before.seq - 1)
    assert faults([after, before], FEW) == [f"change {after.seq} after {before.seq} was seen"]


def lengthen(sandbox: Sandbox, minutes: int) -> None:
    """Make every third appointment last that many minutes."""
    for item in sandbox.world.appointments.window(0, ROWS).items[::3]:
        record = json.loads(item)
        record |= {"appointment_duration": minutes, "updated_at": datetime.now(UTC).isoformat()}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
