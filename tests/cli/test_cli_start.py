"""What a command loads, and how its process ends: what is not loaded takes no time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.program import Ended, Project, neutral_environment

#: A command, and then the name of everything that it has loaded.
_LOADED = """
import sys
from zimun_sync.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)
"""
NOT_FOR_SYNC = {
    "alembic",
    "apscheduler",
    "dlt",
    "numpy",
    "pandas",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "pygments",
    "rich",
    "starlette",
    "uvicorn",
    "zimun_sync.cli.setup",
    "zimun_sync.cli.verifying",
    "zimun_sync.daemon",
    "zimun_sync.sandbox",
    "zimun_sync.web",
}
#: What a sync needs that has something new to write.
FOR_ROWS = {"arro3", "jinja2"}


def _loaded(project: Project, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", _LOADED, *arguments]
    ended = subprocess.run(
        command,
        cwd=project.folder,
        env=neutral_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.splitlines()[-1].split())


def test_a_sync_loads_only_what_it_uses(project: Project) -> None:
    del project.sinks["files"]
    del project.sinks["analytics"]["model"]  # as by default
    project.save()
    first = _loaded(project, "sync", "--json")
    second = _loaded(project, "sync", "--json")
    assert {"duckdb", "sqlalchemy", *FOR_ROWS} <= first
    assert not first & NOT_FOR_SYNC
    assert "duckdb" in second
    assert not second & (NOT_FOR_SYNC | FOR_ROWS)


def test_files_in_the_standard_spelling_need_no_more(project: Project) -> None:
    del project.sinks["analytics"]
    project.sinks["files"] |= {"changes": True}
    project.save()
    loaded = _loaded(project, "sync", "--json")
    assert "zimun_connectors.csv.canonical" in loaded
    assert not loaded & NOT_FOR_SYNC


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="counts threads as Linux tells them"
)
def test_numpy_starts_no_threads_in_a_command() -> None:
    """They spin while they wait: a tenth of a second of every core, for nothing."""
    program = "import os, zimun_sync.cli, numpy; print(len(os.listdir('/proc/self/task')))"
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    told = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert told.strip() == "1"


# -- the end --------------------------------------------------------------------------------


def _ended(command: str) -> Ended:
    """How a process ends that runs this as the whole of a command."""
    program = f"import atexit, sys, threading\nfrom zimun_sync.cli.ending import ended\n{command}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("ended(lambda: None)", 0),
        ("ended(lambda: sys.exit())", 0),
        ("ended(lambda: sys.exit(3))", 3),
        ("ended(lambda: sys.exit('told'))", 1),
        ("ended(lambda: 1 / 0)", 1),
    ],
)
def test_a_process_ends_with_its_commands_code(command: str, code: int) -> None:
    ended = _ended(f"atexit.register(print, 'handled')\nprint('printed', end='; ')\n{command}")
    assert (ended.code, ended.out) == (code, "printed; handled\n")
    assert ("ZeroDivisionError" in ended.err) == ("1 / 0" in command)
    assert ("told" in ended.err) == ("told" in command)


def test_a_thread_at_work_is_waited_for() -> None:
    ended = _ended(
        "go = threading.Event()\n"
        "def work():\n"
        "    go.wait()\n"
        "    print('done')\n"
        "threading.Thread(target=work).start()\n"
        "atexit.register(print, 'handled')\n"
        "threading._register_atexit(go.set)\n"  # what Python does before it waits
        "ended(lambda: sys.exit(4))"
    )
    assert (ended.code, ended.out, ended.err) == (4, "done\nhandled\n", "")


def test_a_reader_that_has_gone_is_told_of_as_python_does() -> None:
    program = "from zimun_sync.cli.ending import ended; ended(lambda: print('to nobody'))"
    command = [sys.executable, "-E", "-c", program]  # -E: whatever PYTHONUNBUFFERED says
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 120  # Python's own
    assert "BrokenPipeError" in done.stderr
