"""What the sink refuses, what it waits out, and that it says what to do."""

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from zimun_connectors.parquet import ParquetSettings, ParquetSink
from zimun_connectors.parquet.versions import Versions
from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable
from zimun_sync.sinks import Batch
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

_HOLDER = """
import sys
from pathlib import Path
from zimun_connectors.parquet import ParquetSettings, connector
from zimun_sync.testing import sink_context
sink = connector.build(ParquetSettings(path="parquet"), Path(sys.argv[1]))
sink.open(sink_context())
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"compression": "brotli"}, "compression"),
        ({"keep_versions": 0}, "keep_versions"),
        ({"keep_minutes": 0}, "keep_minutes"),
        ({"compresion": "zstd"}, "compresion"),
        ({"publish": {"mode": "rw"}}, "publish.mode"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ParquetSettings.model_validate({"type": "parquet", "path": "parquet", **settings})


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


@pytest.mark.parametrize("name", ["current", "versions"])
def test_files_of_someone_else_are_not_touched(desk: "Desk", name: str) -> None:
    (desk.path / name).mkdir(parents=True)
    (desk.path / name / "mine.parquet").write_text("my own")
    for attempt in (desk.open, lambda: desk.make().check(desk.context())):
        with pytest.raises(SinkBroken, match=f"did not write: {name}") as caught:
            attempt()
        assert "another `path`" in caught.value.hint
    assert [path.name for path in desk.path.rglob("*")] == [name, "mine.parquet"]


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


@pytest.mark.parametrize("damage", ["shorter", "gone"])
def test_a_published_file_that_someone_damaged_is_refused(desk: "Desk", damage: str) -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    file = desk.files()["month=2026-11"]
    file.unlink()
    if damage == "shorter":
        file.write_bytes(b"PAR1")
    with pytest.raises(SinkBroken, match="bytes, but") as caught:
        desk.open()
    assert "Restore" in caught.value.hint


def test_a_file_damaged_without_a_change_of_its_size_is_refused(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    file = desk.files()["month=2026-11"]
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(SinkBroken, match="cannot be read") as caught:
        sink.write(make_batch(upsert(2, "a_2")))
    assert "Restore" in caught.value.hint
    file.write_bytes(b"")
    with pytest.raises(SinkBroken):
        sink.close()


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


def _write_all(sink: ParquetSink, batches: list[Batch]) -> None:
    for batch in batches:
        sink.write(batch)


@pytest.mark.parametrize("size", [1_000, 20_000, 100_000, 300_000])
def test_a_full_disk_is_waited_out(desk: "Desk", size: int) -> None:
    changes = [upsert(seq, f"a_{seq}", notes=os.urandom(800).hex()) for seq in range(1, 401)]
    batches = [make_batch(*changes[n : n + 100]) for n in range(0, len(changes), 100)]
    sink = desk.open()
    with _full_disk(size), pytest.raises(SinkUnavailable) as caught:
        _write_all(sink, batches)
    assert "ree space" in caught.value.hint
    before = desk.column("_seq")
    assert len(before) % 100 == 0
    sink.open(desk.context())
    _write_all(sink, batches)
    assert len(desk.column("_seq")) == len(changes)


@pytest.mark.parametrize("call", ["link", "symlink", "rename", "fsync", "chmod"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, SinkUnavailable), (errno.EROFS, SinkBroken)]
)
def test_a_publication_that_fails_is_made_up_for(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: type[SinkError]
) -> None:
    sink = desk.open()

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(desk.path))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(error, match=os.strerror(number)) as caught:
            sink.write(make_batch(upsert(1, "a_1")))
        assert caught.value.hint
    sink.open(desk.context())
    assert desk.column("_seq") == {"a_1": 1}
    assert sink.write(make_batch(upsert(1, "a_1"))).applied == 0


def test_a_version_that_could_not_be_recorded_is_made_again(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = desk.open()
    with monkeypatch.context() as patch:
        patch.setattr(Versions, "record", _raise_full)
        with pytest.raises(SinkUnavailable, match="full"):
            sink.write(make_batch(upsert(1, "a_1")))
    assert desk.column("_seq") == {}
    sink.close()
    assert desk.column("_seq") == {"a_1": 1}


def _raise_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "the disk is full", str(Path("/var")))


def test_use_before_open_is_a_bug_of_the_caller(desk: "Desk") -> None:
    with pytest.raises(RuntimeError, match="open"):
        desk.make().write(make_batch(upsert(1, "a_1")))


def test_a_refused_sink_lets_go_of_the_lock(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    refused, behind = desk.make(), desk.context()
    with pytest.raises(SinkError):
        refused.open(type(behind)(behind.name, "another", behind.heads, behind.now))
    desk.open()
