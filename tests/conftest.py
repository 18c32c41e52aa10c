"""What all tests share: a throw-away PostgreSQL server for every one that wants it."""

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import Phase, settings
from psycopg import sql

from zimun_sync.collector import relax_collector

# How long an example takes says something of the machine, not of the code.
settings.register_profile("untimed", deadline=None)
# For who only asks whether a test fails: `make mutation`.
settings.register_profile("unshrunk", deadline=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("untimed")

relax_collector()  # as the program does, and before thousands of tests are collected

_ROLE = "zimun"


def pytest_collection_finish() -> None:
    """Spare what was imported the search for cycles, which took 6% of the CPU of 894 tests."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let libraries take leave of what is theirs; some tell of leaks otherwise."""
    gc.unfreeze()


class PostgresServer:
    """A cluster of its own on a unix socket, without durability; `start` it, `stop` it.

    Args:
        binaries: the folder of `initdb` and `pg_ctl`.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="zimun-pg-"))  # socket paths must be short
        self._numbers = count(1)

    def start(self) -> None:
        """Make the cluster and wait until it takes connections."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", _ROLE, "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -k {self._folder} -c fsync=off -c full_page_writes=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """End the server at once and remove its files."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def new_schema(self) -> str:
        """The URL of a schema of its own: as good as a database, and made in no time."""
        url = f"postgresql://{_ROLE}@/postgres?host={self._folder}"
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return f"{url}&options=-csearch_path%3D{name}"

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: the server would keep a pipe open.
        with (self._folder.parent / f"{self._folder.name}.out").open("w+") as output:
            ended = subprocess.run(
                [self._binaries / program, *arguments],
                user=self._user,
                cwd="/",
                stdout=output,
                stderr=output,
                check=False,
            )
            output.seek(0)
            said = output.read()
        Path(output.name).unlink()
        if ended.returncode:
            raise RuntimeError(f"{program} ended with {ended.returncode}: {said}")


def _binaries() -> Path | None:
    """Where PostgreSQL's programs are: Debian keeps them off the path."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    binaries = _binaries()
    if binaries is None and "CI" in os.environ:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(binaries)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres_server.new_schema()
