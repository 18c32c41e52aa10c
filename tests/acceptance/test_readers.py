"""Analysts read the database for as long as they like while syncs go on."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.acceptance import contents
from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import PATIENCE_SECONDS
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance

READER = Path(__file__).with_name("reader.py")
ROWS, SYNCS = 3000, 3


def test_a_reader_that_never_lets_go_sees_the_truth(serve: Serve, new_project: NewProject) -> None:
    sandbox = serve(appointments=ROWS)
    project = new_project(sandbox.base_url)
    assert project.sync().code == 0
    stop = project.folder / "stop"
    command = [sys.executable, str(READER), str(project.database), str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for number in range(SYNCS):
            lengthen(sandbox, 10 + number)
            ended = project.sync()
            assert ended.code == 0, ended.err
        stop.touch()
        said, _ = reader.communicate(timeout=PATIENCE_SECONDS)
    assert reader.returncode == 0

    answers = json.loads(said)
    assert {(count, keys, wrong) for count, keys, _, _, wrong in answers} == {(ROWS, ROWS, 0)}
    newest = [newest for _, _, newest, _, _ in answers]
    assert all(before <= after for before, after in pairwise(newest))
    assert len(set(newest)) > SYNCS
    assert answers[-1][3] == contents.of_source(sandbox.control_url)["durations"]


def lengthen(sandbox: Sandbox, minutes: int) -> None:
    """Make every third appointment last that many minutes."""
    for item in sandbox.world.appointments.window(0, ROWS).items[::3]:
        record = json.loads(item)
        record |= {"appointment_duration": minutes, "updated_at": datetime.now(UTC).isoformat()}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
