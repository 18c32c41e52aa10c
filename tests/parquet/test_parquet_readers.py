"""Other processes and users read while versions are made."""

import grp
import os
import pwd
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zimun_sync.sinks import Batch
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

_HAMMER = Path(__file__).with_name("hammer.py")
_RECORDS, _READS, _WRITES = 40, 60, 25


def _write(number: int) -> Batch:
    """All records get the number of the write; one wanders by a month, one is there by turns."""
    first = number * (_RECORDS + 2)
    notes = str(number)
    changes = [
        upsert(first + key, f"a_{key}", notes=notes, local_date=date(2026, 1 + key % 4, 1))
        for key in range(_RECORDS)
    ]
    wanderer = date(2026, 1 + number % 12, 9)
    changes.append(upsert(first + _RECORDS, "wanderer", notes=notes, local_date=wanderer))
    odd = upsert(first + _RECORDS + 1, "odd", notes=notes)
    changes.append(odd if number % 2 else delete(odd.seq, "odd"))
    return make_batch(*changes)


@pytest.mark.parametrize("way", ["duckdb_by_manifest", "pandas_by_folder"])
def test_readers_see_whole_versions_in_order_and_no_error(desk: "Desk", way: str) -> None:
    sink, number = desk.open(), 1
    sink.write(_write(number))
    answers: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(_HAMMER), way, str(desk.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stderr is not None
        collector = threading.Thread(target=answers.extend, args=(reader.stdout,))
        collector.start()
        while reader.poll() is None and (number < _WRITES or len(answers) < _READS):
            number += 1
            sink.write(_write(number))
        reader.stdin.close()
        collector.join()
        assert reader.stderr.read() == ""
    _check([tuple(map(int, answer.split())) for answer in answers], number)


def _check(seen: list[tuple[int, ...]], last: int) -> None:
    assert len(seen) >= _READS
    for number, different, records in seen:
        assert different == 1
        assert records == _RECORDS + 1 + number % 2
    numbers = [number for number, _, _ in seen]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1] <= last


def test_a_path_through_the_link_never_means_another_file(desk: "Desk") -> None:
    """A reader that opens late what it listed early misses a file, but mixes nothing."""
    sink = desk.open()
    sink.write(_write(1))
    current = desk.path / "current"
    listed = {path: path.read_bytes() for path in current.glob("appointments/**/*.parquet")}
    sink.write(make_batch(upsert(1000, "a_1", notes="2", local_date=date(2026, 2, 1))))
    still_there = {path for path in listed if path.exists()}
    assert len(still_there) == len(listed) - 1
    assert all(path.read_bytes() == listed[path] for path in still_there)


@pytest.fixture
def open_desk(desk: "Desk") -> Iterator["Desk"]:
    """In a folder that every user may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        other = type(desk)(Path(folder))
        yield other
        other.close()


#: Reads as the user given last, who need not be able to start this interpreter.
_SCRIPT = """
import os, pwd, sys
import pyarrow.dataset as ds
folder, user = sys.argv[1:]
account = pwd.getpwnam(user)
os.setgroups([])
os.setgid(account.pw_gid)
os.setuid(account.pw_uid)
path = os.path.realpath(folder + "/current") + "/appointments"
print(ds.dataset(path, partitioning="hive").to_table().num_rows)
open(folder + "/.zimun/state.sqlite")
"""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as another user")


def _read_as_nobody(desk: "Desk") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", _SCRIPT, str(desk.path), "nobody"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@root_only
@pytest.mark.parametrize("by_group", [False, True], ids=["everyone", "a group"])
def test_another_user_reads_what_is_published_and_nothing_else(
    open_desk: "Desk", by_group: bool
) -> None:
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    setting = {"mode": "0640", "group": group} if by_group else {"mode": "0644"}
    open_desk.open(publish=setting).write(_write(1))
    answer = _read_as_nobody(open_desk)
    assert answer.stdout == f"{_RECORDS + 2}\n"
    assert "state.sqlite" in answer.stderr
    assert "Permission denied" in answer.stderr


@root_only
def test_by_default_others_read_nothing(open_desk: "Desk") -> None:
    open_desk.open().write(_write(1))
    answer = _read_as_nobody(open_desk)
    assert answer.stdout == ""
    assert answer.returncode != 0
