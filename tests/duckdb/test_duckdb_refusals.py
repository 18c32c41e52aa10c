"""What the sink says when it cannot work, and that it then leaves everything as it was."""

import os
import pwd
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pytest
from pydantic import ValidationError

from zimun_connectors.duckdb import DuckdbSettings, connector
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.sinks import Adopts, Checks, ReadsBack
from zimun_sync.sinks import connector as find_connector
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench


def test_the_installed_connector_is_found_with_its_abilities(tmp_path: Path) -> None:
    found = find_connector("duckdb")
    assert found is connector
    sink = found.build(found.settings(path="x.duckdb"), tmp_path)
    for ability in (ReadsBack, Adopts, Checks):
        assert isinstance(sink, ability)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"pth": "x"},
        {"reader_root": "relative"},
        {"publish": {"mode": "rw-"}},
        {"publish": {"owner": "me"}},
        {"memory_limit": "lots"},
        {"threads": 0},
        {"type": "csv"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DuckdbSettings.model_validate({"path": "x.duckdb"} | wrong)


def test_every_setting_is_described() -> None:
    properties = DuckdbSettings.model_json_schema()["properties"]
    assert all("description" in found for found in properties.values())


def test_a_file_that_is_no_database_is_left_alone(bench: "Bench") -> None:
    bench.views.write_text("precious")
    _refused(bench, "not a valid DuckDB")
    assert bench.views.read_text() == "precious"


def test_a_database_of_somebody_else_is_left_alone(bench: "Bench") -> None:
    with duckdb.connect(bench.views) as other:
        other.execute("CREATE TABLE precious AS SELECT 42 AS answer")
    _refused(bench, "not a file of zimun-sync")
    assert bench.query("FROM precious") == [(42,)]


def test_views_without_their_data_folder_are_filled_anew(bench: "Bench") -> None:
    bench.opened().close()
    bench.data.rename(bench.folder / "moved")
    bench.opened().write(make_batch(upsert(1, "a_1")))
    assert bench.query("SELECT count(*) FROM appointments") == [(1,)]


def test_a_folder_in_the_way(bench: "Bench") -> None:
    bench.views.mkdir()
    _refused(bench, "directory")


def test_a_file_where_the_data_folder_should_be(bench: "Bench") -> None:
    bench.data.write_text("in the way")
    with pytest.raises(SinkBroken, match="File exists") as caught:
        bench.opened()
    assert "path" in caught.value.hint


def test_a_private_database_of_another_program(bench: "Bench") -> None:
    (bench.data / "private").mkdir(parents=True)
    with duckdb.connect(bench.data / "private" / "state.duckdb") as other:
        other.execute("CREATE TABLE precious AS SELECT 42 AS answer")
    with pytest.raises(SinkBroken, match="not one of zimun-sync"):
        bench.opened()


def test_a_sink_of_a_newer_release(bench: "Bench") -> None:
    bench.opened().close()
    with duckdb.connect(bench.data / "private" / "state.duckdb") as newer:
        newer.execute("UPDATE _store SET format = 99")
    _refused(bench, "newer release")


def test_an_unknown_group(bench: "Bench") -> None:
    sink = bench.sink(publish={"group": "nobody-has-this-group"})
    for attempt in (sink.check, sink.open):
        with pytest.raises(SinkBroken, match="nobody-has-this-group"):
            attempt(bench.context())


@contextmanager
def _without_privileges(folder: Path) -> Iterator[None]:
    """Work as a user who owns the folder, and may not write anywhere as root may."""
    root = os.geteuid() == 0
    if root:
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, nobody, -1)
        os.seteuid(nobody)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_without_the_right_to_write(bench: "Bench") -> None:
    with TemporaryDirectory() as place:  # other users get there, not to `tmp_path`
        bench.folder = Path(place)
        bench.folder.chmod(0o500)
        with _without_privileges(bench.folder):
            _refused(bench, "Permission denied")
        bench.folder.chmod(0o700)


def test_two_writers(bench: "Bench") -> None:
    bench.opened()
    second = bench.sink()
    for attempt in (second.open, second.check):
        with pytest.raises(SinkUnavailable, match=f"Process {os.getpid()}") as caught:
            attempt(bench.context())
        assert caught.value.hint


def test_a_writer_may_follow_when_the_first_has_closed(bench: "Bench") -> None:
    bench.opened().close()
    bench.opened().write(make_batch(upsert(1, "a_1")))
    assert bench.query("SELECT count(*) FROM appointments") == [(1,)]


def test_somebody_has_the_private_database_open(bench: "Bench") -> None:
    bench.opened().close()
    script = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1]):\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(bench.data / "private" / "state.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as snoop:
        assert snoop.stdin is not None
        assert snoop.stdout is not None
        assert snoop.stdout.readline() == b"open\n"
        with pytest.raises(SinkUnavailable, match="lock") as caught:
            bench.opened()
        snoop.stdin.close()
    assert "private database" in caught.value.hint
    bench.opened()


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond that size, which fails as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100_000, 400_000, 1_500_000])
def test_a_full_disk_stops_delivery_until_there_is_room(bench: "Bench", size: int) -> None:
    sink = bench.opened()
    first = make_batch(upsert(1, "a_1"))
    sink.write(first)
    large = make_batch(*(upsert(seq, f"a_{seq}", notes=str(seq) * 99) for seq in range(2, 9_000)))
    with _full_disk(size), pytest.raises(SinkUnavailable) as caught:
        sink.write(large)
    assert "Free space" in caught.value.hint
    assert bench.query("SELECT count(*) FROM appointments") == [(1,)]
    sink.open(bench.context())
    assert sink.write(first).unchanged == 1
    sink.write(large)
    assert bench.query("SELECT count(*) FROM appointments") == [(1 + len(large),)]


@pytest.mark.parametrize("rows", [9_000, 11_000])
def test_too_little_memory_names_the_setting(bench: "Bench", rows: int) -> None:
    """As often as it is tried: a batch, and one longer than a row group."""
    large = make_batch(*(upsert(seq, f"a_{seq}", notes=str(seq) * 99) for seq in range(1, rows)))
    sink = bench.opened(memory_limit="4MB")
    for _ in range(2):
        with pytest.raises(SinkBroken, match="Out of Memory") as caught:
            sink.write(large)
        assert "memory_limit" in caught.value.hint


def test_using_a_sink_that_is_not_open_is_a_bug(bench: "Bench") -> None:
    with pytest.raises(RuntimeError, match="before open"):
        bench.sink().write(make_batch(upsert(1, "a_1")))


def _refused(bench: "Bench", message: str) -> None:
    sink = bench.sink()
    for attempt in (sink.check, sink.open):
        with pytest.raises(SinkBroken, match=message) as caught:
            attempt(bench.context())
        assert caught.value.hint
