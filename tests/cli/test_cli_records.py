"""`zimun-sync record`: what is known of one record."""

import httpx
import pytest

from tests.cli.conftest import Cli
from zimun_sync.sandbox import Sandbox


@pytest.fixture
def changed(cli: Cli, sandbox: Sandbox) -> str:
    """The key of an appointment that was synced, changed, and synced again."""
    assert cli("sync").code == 0
    token = httpx.post(
        f"{sandbox.base_url.removesuffix('/api/v1')}/oauth/token",
        auth=(sandbox.client_id, sandbox.client_secret),
        data={"grant_type": "client_credentials"},
    ).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{sandbox.base_url}/appointments"
    [first, *_] = httpx.get(url, headers=headers).json()["items"]
    key: str = first["appointment_id"]
    httpx.patch(f"{url}/{key}", headers=headers, json={"notes": "by the window"})
    assert cli("sync").code == 0
    return key


def test_a_record_is_shown_with_what_it_was_before(cli: Cli, changed: str) -> None:
    [present, before] = cli("record", changed, "--json").json
    assert (present["stands"], before["stands"]) == (True, False)
    assert present["row"]["notes"] == "by the window"
    assert before["row"]["notes"] != "by the window"
    assert before["superseded_at"] is not None
    shown = cli("record", changed).out
    assert "by the window" in shown.replace("\n", " ")


def test_a_record_that_never_was(cli: Cli, changed: str) -> None:
    ended = cli("record", "a_nobody")
    assert (ended.code, "never had a record 'a_nobody'" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stream", "bookings"), "There is no stream 'bookings'"),
        (("--source", "other"), "There is no source named 'other'"),
    ],
)
def test_what_is_not_there_is_refused(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    ended = cli("record", "a", *arguments)
    assert (ended.code, said in ended.err) == (2, True)
