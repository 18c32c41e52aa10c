"""Commands in a project that was synced once, and ways to change things behind its back."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.acceptance.program import Ended, Project
from tests.cli.conftest import ROWS, Cli, cli, project, sandbox
from zimun_sync.sandbox import Sandbox
from zimun_sync.store import Store

__all__ = ["ROWS", "Cli", "cli", "filed", "kept", "project", "sandbox", "synced"]

#: A difference: where, key, kind, why, detail.
Told = tuple[str, str, str, str, str]


@pytest.fixture
def synced(cli: Cli) -> Cli:
    """Commands in a project of the test's own, after one sync."""
    assert cli("sync").code == 0
    return cli


@pytest.fixture
def filed(cli: Cli, project: Project) -> Cli:
    """The same with the CSV sink alone, which takes a third of the time."""
    del project.sinks["analytics"]
    project.save()
    assert cli("sync").code == 0
    return cli


@pytest.fixture
def kept(cli: Cli, project: Project) -> Cli:
    """The same with the DuckDB sink alone."""
    del project.sinks["files"]
    project.save()
    assert cli("sync").code == 0
    return cli


def told(ended: Ended) -> set[Told]:
    """Every difference that `verify --json` names, of all sources and sinks."""
    found = ended.json
    streams = [("", each) for each in found["sources"]]
    streams += [(name, each) for name, sink in found["sinks"].items() for each in sink["streams"]]
    return {
        (where, each["key"], each["kind"], each["why"], each["detail"])
        for where, stream in streams
        for each in stream["differences"]
    }


def fault(where: str, key: str, kind: str, detail: str = "") -> Told:
    """One that should not be."""
    return where, key, kind, "fault", detail


def private_database(project: Project) -> Path:
    """Where the DuckDB sink keeps its own rows."""
    return project.database.with_suffix(".data") / "private/state.duckdb"


def change_database(project: Project, *statements: str) -> None:
    """Run SQL in the DuckDB sink's private database, as a person could."""
    with duckdb.connect(private_database(project)) as connection:
        for statement in statements:
            connection.execute(statement)


def change_state(project: Project, *statements: str) -> None:
    """Run SQL in the state."""
    with closing(sqlite3.connect(project.state)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def keys(project: Project) -> list[str]:
    """Appointments that readers of CSV find, in order."""
    return sorted(row["appointment_id"] for row in csv.DictReader(io.StringIO(csv_text(project))))


def keys_of_rows(project: Project) -> list[str]:
    """Appointments that analysts find, in order."""
    return sorted(row[0] for row in _analysts_rows(project))


def content(project: Project) -> tuple[Any, ...]:
    """What analysts and readers of CSV find, lineage aside, in no particular order."""
    lineage = {"_seq", "_run_id", "_synced_at"}
    text = csv_text(project) if (project.csv / "appointments.csv").exists() else ""
    cells = [
        tuple(value for name, value in row.items() if name not in lineage)
        for row in csv.DictReader(io.StringIO(text))
    ]
    return _analysts_rows(project), tuple(sorted(cells))


def _analysts_rows(project: Project) -> tuple[Any, ...]:
    if not project.database.exists():
        return ()
    with duckdb.connect(project.database, read_only=True) as connection:
        query = "SELECT * EXCLUDE (_seq, _run_id, _synced_at) FROM appointments ORDER BY ALL"
        return tuple(connection.execute(query).fetchall())


def csv_text(project: Project) -> str:
    return (project.csv / "appointments.csv").read_bytes().decode("utf-8-sig")


def change_csv(
    project: Project,
    change: Callable[[list[bytes]], Sequence[bytes]],
    stream: str = "appointments",
) -> None:
    """Change the lines that readers of CSV find; a row with a line break in a cell is one."""
    file = project.csv / f"{stream}.csv"
    file.write_bytes(b"".join(change(list(_rows_of(file.read_bytes())))))


def _rows_of(text: bytes) -> Iterator[bytes]:
    row = b""
    for line in text.splitlines(keepends=True):
        row += line
        if row.count(b'"') % 2 == 0:  # no quote is open
            yield row
            row = b""


def drop_lines(project: Project, *keys: str) -> None:
    """Take appointments out of the file that readers of CSV find."""
    gone = tuple(key.encode() for key in keys)
    change_csv(project, lambda lines: [line for line in lines if not line.startswith(gone)])


def present(sandbox: Sandbox, position: int = 0) -> dict[str, Any]:
    """An appointment as the source has it."""
    record: dict[str, Any] = json.loads(
        sandbox.world.appointments.window(position, position + 1).items[0]
    )
    return record


def put(sandbox: Sandbox, record: dict[str, Any], *, age: float = -60.0, **changes: Any) -> str:
    """Change an appointment at its source, without telling anyone.

    Args:
        sandbox: the source.
        record: as it was.
        age: seconds from its former `updated_at` to now; by default a minute before now.
        changes: what is new about it.

    Returns:
        Its key.
    """
    moment = datetime.now(UTC) + timedelta(seconds=age)
    changed = record | changes | {"updated_at": moment.isoformat()}
    key: str = changed["appointment_id"]
    sandbox.world.put_appointment(key, json.dumps(changed).encode())
    return key


@contextmanager
def opened(project: Project) -> Iterator[Store]:
    """The project's state."""
    with Store.open(project.settings["state"], project.folder) as store:
        yield store
