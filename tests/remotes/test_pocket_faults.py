"""The contract of remote connectors finds what is wrong with one."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

_FAULTY = Path(__file__).with_name("faulty_pockets.py")

#: Which check has to fail for which contract class.
_FOUND_BY = {
    "TestBoasting": "test_a_lost_answer_about_appointments_doubles_nothing",
    "TestShifting": "test_a_reschedule_keeps_instants_right",
    "TestSwallowing": "test_one_bad_row_stands_alone",
    "TestCreating": "test_a_deleted_appointment_is_not_made_again",
    "TestUnderstating": "test_the_owner_follows_the_staff_member",
    "TestExcusing": "test_a_merged_contact_is_followed",
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Class and test of everything that failed, with its message."""
    folder = tmp_path_factory.mktemp("faulty")
    report = folder / "report.xml"
    nodes = [f"{_FAULTY}::{name}::{test}" for name, test in _FOUND_BY.items()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, f"--junitxml={report}", *nodes], capture_output=True, cwd=folder, check=False
    )
    return {
        (case.attrib["classname"].rpartition(".")[2], case.attrib["name"].partition("[")[0]): str(
            failure.attrib["message"]
        )
        for case in ET.parse(report).iter("testcase")
        for failure in case.iter("failure")
    }


@pytest.mark.parametrize(("name", "test"), _FOUND_BY.items())
def test_a_faulty_connector_is_found(
    name: str, test: str, failed: dict[tuple[str, str], str]
) -> None:
    assert (name, test) in failed


def test_a_check_that_is_overridden_with_nothing_is_missed(tmp_path: Path) -> None:
    script = (
        "import runpy, sys; faulty = runpy.run_path(sys.argv[1]);"
        "from zimun_sync.testing.remotes.base import checks_due;"
        "print('test_a_deletion_in_the_source_cancels' in checks_due(faulty['TestShirking']))"
    )
    command = [sys.executable, "-c", script, str(_FAULTY)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "True"
