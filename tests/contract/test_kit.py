"""The kit passes an honest sink, and finds what is wrong with any other."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

_FAULTY = Path(__file__).with_name("faulty_sinks.py")

#: Which check has to fail for which contract class.
_FOUND_BY = {
    "TestForgetful": "test_every_type_survives",
    "TestMiscounting": "test_the_same_batch_twice_is_once",
    "TestBoasting": "test_the_same_batch_twice_is_once",
    "TestUndeleting": "test_deletes",
    "TestBackwards": "test_late_older_changes_do_not_go_backwards",
    "TestPatching": "test_a_later_state_replaces_the_whole_row",
    "TestOneSourceOnly": "test_sources_with_equal_keys_stay_apart",
    "TestOneStreamOnly": "test_streams_with_equal_keys_stay_apart",
    "TestBuffering": "test_a_process_that_ends_without_close_loses_nothing",
    "TestPromiscuous": "test_a_foreign_store_is_refused",
    "TestUntidy": "test_checking_leaves_nothing_behind",
    "TestAmnesiac": "test_reading_back",
    "TestBurying": "test_taken_away_and_given_again",
    "TestMisreading": "test_reading_rows",
    "TestStale": "test_publishing_anew",
    "TestMuddling": "test_showing_freshness_changes_no_record",
    "TestRetentive": "test_forgetting_leaves_no_byte",
    "TestOverzealous": "test_forgetting_leaves_no_byte",
    "TestSettled": "test_promoted_columns_appear",
    "TestStubborn": "test_a_promoted_column_changes_its_type",
    "TestTerse": "test_an_unusable_storage_is_refused_clearly",
    "TestCrashing": "test_an_unusable_storage_is_refused_clearly",
}

#: Contracts that prove too little: only running them whole shows it.
_PROVE_TOO_LITTLE = {
    "TestBlind": "no value was compared",
    "TestHalfBlind": "decimal",
    "TestShirking": "test_deletes",
    "TestEmpty": "did not finish",
}


def _run(folder: Path, *selected: str) -> dict[tuple[str, str], str]:
    """Class and test of everything that ran, with the message of what failed."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    selection = [f"{_FAULTY}::{node}" for node in selected]
    subprocess.run(
        [*command, f"--junitxml={report}", *selection], capture_output=True, cwd=folder, check=False
    )
    return {
        (case.attrib["classname"].rpartition(".")[2], case.attrib["name"]): _message(case)
        for case in ET.parse(report).iter("testcase")
    }


def _message(case: ET.Element) -> str:
    return "".join(failure.attrib["message"] for failure in case.iter("failure"))


def test_an_honest_sink_passes_every_check(tmp_path: Path) -> None:
    results = _run(tmp_path, "TestHonest")
    assert ("TestHonest", "test_zz_every_check_was_made") in results
    assert not any(results.values()), results


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    nodes = [f"{name}::{test}" for name, test in _FOUND_BY.items()]
    return _run(tmp_path_factory.mktemp("findings"), *nodes, *_PROVE_TOO_LITTLE)


@pytest.mark.parametrize(("name", "test"), _FOUND_BY.items())
def test_a_faulty_sink_is_found(name: str, test: str, findings: dict[tuple[str, str], str]) -> None:
    assert findings[name, test]


@pytest.mark.parametrize(("name", "reason"), _PROVE_TOO_LITTLE.items())
def test_a_contract_that_proves_too_little_fails(
    name: str, reason: str, findings: dict[tuple[str, str], str]
) -> None:
    assert reason in findings[name, "test_zz_every_check_was_made"]
