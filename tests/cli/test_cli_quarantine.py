"""`zimun-sync quarantine list|show|retry|drop`."""

from typing import Any

import pytest

from tests.cli.conftest import Cli
from zimun_sync.sandbox import Sandbox

BAD = b'{"appointment_id": "a_bad", "appointment_time": "soon", "contact_name": "Ana Bad"}'


@pytest.fixture
def bad(cli: Cli, sandbox: Sandbox) -> dict[str, Any]:
    """The entry of a record that could not be normalized."""
    sandbox.world.put_appointment("a_bad", BAD)
    assert cli("sync").code == 3
    [entry] = cli("quarantine", "list", "--json").json
    found: dict[str, Any] = entry
    return found


def test_an_empty_quarantine(cli: Cli) -> None:
    assert cli("quarantine", "list").out == "Nothing is in quarantine.\n"
    assert cli("quarantine", "list", "--json").json == []


def test_the_list_tells_what_is_wrong_without_personal_data(cli: Cli, bad: dict[str, Any]) -> None:
    assert (
        bad.items()
        >= {
            "source": "main",
            "stream": "appointments",
            "sink": None,
            "key": "a_bad",
            "status": "open",
        }.items()
    )
    shown = cli("quarantine", "list").out
    assert "main/appointments" in shown
    assert bad["code"] in shown
    assert bad["message"] in shown
    assert "Ana" not in shown + str(bad)
    assert cli("quarantine", "list", "--source", "main").out == shown
    assert "Nothing" in cli("quarantine", "list", "--sink", "files").out


def test_show_has_the_bytes(cli: Cli, bad: dict[str, Any]) -> None:
    number = str(bad["id"])
    shown = cli("quarantine", "show", number).out
    assert BAD.decode() in shown
    assert bad["message"] in shown
    assert cli("quarantine", "show", number, "--json").json == bad | {"raw": BAD.decode()}


def test_retry_before_and_after_the_record_is_mended(
    cli: Cli, bad: dict[str, Any], sandbox: Sandbox
) -> None:
    ended = cli("quarantine", "retry", str(bad["id"]))
    assert ended.code == 0
    assert ended.out.startswith("1 marked.")
    assert cli("sync").code == 3
    good = BAD.replace(b'"soon"', b'"2026-11-02T09:45:00+01:00"')
    sandbox.world.put_appointment("a_bad", good)
    assert cli("quarantine", "retry", "--all").code == 0
    assert cli("sync").code == 0
    assert cli("quarantine", "list", "--json").json == []


def test_dropped_for_good(cli: Cli, bad: dict[str, Any]) -> None:
    ended = cli("quarantine", "drop", str(bad["id"]))
    assert (ended.code, ended.out) == (0, f"Entry {bad['id']} is dropped.\n")
    assert cli("quarantine", "list", "--json").json == []
    assert cli("sync").code == 0
    assert cli("status", "--json").json["in_quarantine"] == 0


@pytest.mark.parametrize(
    "arguments",
    [("show", "99"), ("drop", "99"), ("retry", "99"), ("retry",), ("retry", "1", "--all")],
)
def test_entries_that_are_not_there(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli("quarantine", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "zimun-sync quarantine list" in ended.err
