"""What the sink refuses, and that it says what to do."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from zimun_connectors.csv import CsvSettings, CsvSink
from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable
from zimun_sync.sinks import Batch
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.csv.conftest import Desk

_HOLDER = """
import sys
from pathlib import Path
from zimun_connectors.csv import CsvSettings, connector
from zimun_sync.testing import sink_context
sink = connector.build(CsvSettings(path="csv"), Path(sys.argv[1]))
sink.open(sink_context())
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"delimiter": ",", "decimal_separator": ","}, "must differ"),
        ({"formula_safe_except": ["note"]}, "note"),
        ({"delimeter": ";"}, "delimeter"),
        ({"changes_keep_days": 0}, "changes_keep_days"),
        ({"publish": {"mode": "rw"}}, "publish.mode"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CsvSettings.model_validate({"type": "csv", "path": "csv", **settings})


def test_a_second_process_is_told_who_is_writing(desk: "Desk") -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(desk.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        for attempt in (desk.open, lambda: desk.make().check(desk.context())):
            with pytest.raises(SinkUnavailable, match=f"Process {holder.pid} ") as caught:
                attempt()
            assert caught.value.hint
        holder.communicate(b"")
    desk.open()


def test_files_of_someone_else_are_not_overwritten(desk: "Desk") -> None:
    desk.path.mkdir()
    desk.file().write_text("my own list")
    for attempt in (desk.open, lambda: desk.make().check(desk.context())):
        with pytest.raises(SinkBroken, match=r"appointments\.csv") as caught:
            attempt()
        assert "another `path`" in caught.value.hint
    assert desk.file().read_text() == "my own list"


def test_a_damaged_state_is_not_reset(desk: "Desk") -> None:
    desk.open().close()
    state = desk.path / ".zimun" / "state.sqlite"
    state.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(SinkBroken, match="not a database") as caught:
        desk.open()
    assert "Restore" in caught.value.hint
    assert state.read_bytes().startswith(b"this is no database")


def test_a_state_of_a_newer_release_is_refused(desk: "Desk") -> None:
    desk.open().close()
    with closing(sqlite3.connect(desk.path / ".zimun" / "state.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SinkBroken, match="newer release"):
        desk.open()


def test_a_log_that_lost_lines_is_refused(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    sink.close()
    os.truncate(desk.log(), 10)
    with pytest.raises(SinkBroken, match="10 bytes") as caught:
        desk.open()
    assert "Restore" in caught.value.hint


def test_an_unknown_group_is_named(desk: "Desk") -> None:
    with pytest.raises(SinkBroken, match="no-such-group"):
        desk.make(publish={"group": "no-such-group"}).check(desk.context())


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond that many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _write_all(sink: CsvSink, batches: list[Batch]) -> None:
    for batch in batches:
        sink.write(batch)


@pytest.mark.parametrize("fits", ["nothing", "state", "log", "published file"])
def test_a_full_disk_is_waited_out(desk: "Desk", twin: "Desk", fits: str) -> None:
    notes = "" if fits == "nothing" else "n" * 3_000
    each = 2 if fits == "nothing" else 400
    changes = [upsert(seq, f"a_{seq}", notes=notes) for seq in range(1, 401)]
    batches = [make_batch(*changes[n : n + each]) for n in range(0, len(changes), each)]
    _write_all(twin.open(changes=True), batches)
    sizes = {
        "nothing": 40_000,
        "state": twin.file().stat().st_size // 2,
        "log": twin.log().stat().st_size,
        "published file": twin.file().stat().st_size,
    }

    sink = desk.open(changes=fits == "published file")
    with _full_disk(sizes[fits]), pytest.raises(SinkUnavailable) as caught:
        _write_all(sink, batches)
    assert "ree space" in caught.value.hint
    sink.open(desk.context())
    _write_all(sink, batches)
    assert desk.text().count("\r\n") == 1 + len(changes)
    if fits == "published file":
        assert desk.changes() == twin.changes()


def test_use_before_open_is_a_bug_of_the_caller(desk: "Desk") -> None:
    with pytest.raises(RuntimeError, match="open"):
        desk.make().write(make_batch(upsert(1, "a_1")))


def test_a_refused_sink_lets_go_of_the_lock(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    refused = desk.make()
    behind = desk.context()
    with pytest.raises(SinkError):
        refused.open(type(behind)(behind.name, "another", behind.heads, behind.now))
    desk.open()
