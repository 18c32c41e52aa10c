"""Other processes, clients and users read while the sink writes."""

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zimun_connectors.duckdb import publish
from zimun_sync.marts import models
from zimun_sync.model import STREAMS
from zimun_sync.sinks import Batch
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

HAMMER = Path(__file__).with_name("hammer.py")
RECORDS, READS, WRITES = 40, 120, 30

#: DuckDB clients older than ours, exactly these.
WITHOUT_READ_DUCKDB, OLDEST_FOR_VIEWS = "1.4.5", "1.5.6"

#: The number of the write a reader sees, how many different ones it sees, and its records.
QUESTION = "SELECT max(notes::INTEGER), count(DISTINCT notes), count(*) FROM appointments"

Client = Callable[[str], dict[str, str]]


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Client:
    """The environment in which Python finds that version of DuckDB; installed once."""

    def environment(version: str) -> dict[str, str]:
        if not version:
            return dict(os.environ)
        cache = request.config.cache
        assert cache is not None
        folder = cache.mkdir("duckdb-clients") / version
        if not folder.exists():
            _install(version, folder)
        return os.environ | {"PYTHONPATH": str(folder)}

    return environment


def _install(version: str, folder: Path) -> None:
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:"]
    command += ["--retries", "0", "--timeout", "15", "--target", str(new), f"duckdb=={version}"]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"pip cannot install DuckDB {version} here: {installed.stderr.strip()[-200:]}")
    new.rename(folder)


def _write(number: int) -> Batch:
    """All records get the number of the write; another one exists in odd writes only."""
    first = number * (RECORDS + 1)
    changes = [upsert(first + key, f"a_{key}", notes=str(number)) for key in range(1, RECORDS + 1)]
    odd = upsert(first + RECORDS + 1, "odd", notes=str(number))
    changes.append(odd if number % 2 else delete(odd.seq, "odd"))
    return make_batch(*changes)


@pytest.mark.parametrize("version", ["", OLDEST_FOR_VIEWS], ids=["ours", OLDEST_FOR_VIEWS])
def test_readers_see_whole_writes_in_order_and_no_error(
    bench: "Bench", client: Client, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(publish, "DELTA_ROWS", RECORDS * 3 // 2)
    sink, number = bench.opened(), 1
    sink.write(_write(number))
    answers: list[str] = []
    command = [sys.executable, str(HAMMER), str(bench.views), QUESTION]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=client(version),
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stderr is not None
        collector = threading.Thread(target=answers.extend, args=(reader.stdout,))
        collector.start()
        while reader.poll() is None and (number < WRITES or len(answers) < READS):
            number += 1
            bench.clock.advance(timedelta(seconds=0.25))
            sink.write(_write(number))
        reader.stdin.close()
        collector.join()
        assert reader.stderr.read() == ""
    _check([tuple(map(int, answer.split())) for answer in answers], number)


def _check(seen: list[tuple[int, ...]], last: int) -> None:
    assert len(seen) >= READS
    for number, different, records in seen:
        assert different == 1
        assert records == RECORDS + number % 2
    numbers = [number for number, _, _ in seen]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1] <= last


def test_a_client_without_read_duckdb_opens_the_snapshot(bench: "Bench", client: Client) -> None:
    environment = client(WITHOUT_READ_DUCKDB)
    sink = bench.opened()
    sink.write(_write(1))
    sink.close()
    (bench.data / "snapshot.duckdb").unlink()
    sink.open(bench.context())
    answer = _ask(bench.data / "snapshot.duckdb", env=environment)
    assert answer.stdout.split() == ["1", "1", str(RECORDS + 1)]
    refused = _ask(bench.views, env=environment)
    assert "newer version of DuckDB" in refused.stderr


#: Asks every view of the file for all that it has, and prints how many views there are.
_ASK_ALL = """
import sys, duckdb
reader = duckdb.connect(sys.argv[1], read_only=True)
views = "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal"
names = [name for (name,) in reader.execute(views).fetchall()]
for name in names:
    reader.execute(f'FROM "{name}"').fetchall()
print(duckdb.__version__, len(names))
"""


def test_the_oldest_client_for_views_reads_each_of_them(bench: "Bench", client: Client) -> None:
    environment = client(OLDEST_FOR_VIEWS)
    bench.opened(model=True).write(_write(1))
    answer = subprocess.run(
        [sys.executable, "-c", _ASK_ALL, str(bench.views)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = len(STREAMS) + len(models()) + 1  # and `freshness`
    assert answer.stdout.split() == [OLDEST_FOR_VIEWS, str(wanted)], answer.stderr


#: Asks QUESTION, as the user given last, who need not be able to start this interpreter.
SCRIPT = """
import os, pwd, sys, duckdb
database, question, user = sys.argv[1:]
duckdb.sql("SELECT 1").fetchall()
if user:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
with duckdb.connect(database, read_only=True) as reader:
    print(*reader.execute(question).fetchall()[0])
"""


def _ask(
    database: Path, *, env: dict[str, str] | None = None, user: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(database), QUESTION, user]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def open_bench(bench: "Bench") -> Iterator["Bench"]:
    """In a folder that every user may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        other = type(bench)(Path(folder))
        yield other
        other.close()


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as another user")


@root_only
@pytest.mark.parametrize("by_group", [False, True], ids=["everyone", "a group"])
def test_another_user_reads_what_is_published_and_nothing_else(
    open_bench: "Bench", by_group: bool
) -> None:
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    setting = {"mode": "0640", "group": group} if by_group else {"mode": "0644"}
    open_bench.opened(publish=setting).write(_write(1))
    answer = _ask(open_bench.views, user="nobody")
    assert (answer.stdout.split(), answer.stderr) == (["1", "1", str(RECORDS + 1)], "")
    state = open_bench.data / "private" / "state.duckdb"
    assert "Permission denied" in _ask(state, user="nobody").stderr
    assert state.stat().st_mode & 0o777 == 0o600


@root_only
def test_by_default_others_read_nothing(open_bench: "Bench") -> None:
    open_bench.opened()
    assert "Permission denied" in _ask(open_bench.views, user="nobody").stderr
