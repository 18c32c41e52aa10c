"""`zimun-sync webhooks`: the subscription to a source's events."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Project
from tests.cli.conftest import Cli
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.zimun import usable_secret

SECRET = "whsec_b25seSBhbiBleGFtcGxlLCBubyBrZXkh"
URL = "https://sync.example.org/webhooks/main"
DEFAULT_EVENTS = ["appointment.created", "appointment.updated", "appointment.cancelled"]


@pytest.fixture
def project(project: Project) -> Project:
    """With a secret for its webhooks."""
    project.source["webhook_secrets"] = [SECRET]
    project.save()
    return project


def test_a_webhook_from_registration_to_removal(cli: Cli, project: Project) -> None:
    assert cli("webhooks", "list").out == "main: no webhooks are registered.\n"
    assert cli("webhooks", "list", "--json").json == []

    ended = cli("webhooks", "register", "https://sync.example.org")
    assert ended.code == 0, ended.err
    (listed,) = cli("webhooks", "list", "--json").json
    name = listed.pop("id")
    assert listed == {"source": "main", "url": URL, "events": DEFAULT_EVENTS}
    assert ended.out == (
        f"Registered {URL} for source main as {name}: {', '.join(DEFAULT_EVENTS)}.\n"
    )
    assert f"main: {name}  {URL}  appointment.created" in cli("webhooks", "list").out

    assert cli("webhooks", "remove", name).out == f"Removed webhook {name} of source main.\n"
    assert cli("webhooks", "list", "--json").json == []


def test_registering_twice_changes_nothing(cli: Cli, project: Project) -> None:
    cli("webhooks", "register", "https://sync.example.org/")
    before = cli("webhooks", "list", "--json").json
    ended = cli("webhooks", "register", URL)
    assert ended.code == 0
    assert ended.out == (f"{URL} is registered already for source main, as {before[0]['id']}.\n")
    ended = cli("webhooks", "register", URL, "--event", "appointment.created")
    assert ended.code == 0
    assert "with --replace it gets appointment.created." in ended.out
    assert cli("webhooks", "list", "--json").json == before


def test_replacing_registers_anew_and_removes_the_former_one(cli: Cli, project: Project) -> None:
    cli("webhooks", "register", "https://elsewhere.example.org/hook")
    cli("webhooks", "register", URL)
    elsewhere, former = cli("webhooks", "list", "--json").json
    ended = cli("webhooks", "register", URL, "--replace", "--event", "appointment.created")
    assert ended.code == 0, ended.err
    kept, new = cli("webhooks", "list", "--json").json
    assert kept == elsewhere
    assert new["id"] != former["id"]
    assert (new["url"], new["events"]) == (URL, ["appointment.created"])


def test_the_events_are_those_of_the_setting_or_the_command(cli: Cli, project: Project) -> None:
    project.source["webhook"] = {"events": ["appointment.updated"]}
    project.save()
    cli("webhooks", "register", URL)
    many = ("--event", "appointment.created", "--event", "appointment.cancelled")
    cli("webhooks", "register", "https://other.example.org/hook?key=1", *many)
    first, second = cli("webhooks", "list", "--json").json
    assert first["events"] == ["appointment.updated"]
    assert second["url"] == "https://other.example.org/hook?key=1"
    assert second["events"] == ["appointment.created", "appointment.cancelled"]


def test_the_secret_is_shown_nowhere(cli: Cli, project: Project) -> None:
    for command in (
        ("register", URL),
        ("register", URL, "--replace"),
        ("list",),
        ("list", "--json"),
    ):
        ended = cli("webhooks", *command)
        assert ended.code == 0
        assert SECRET not in ended.out + ended.err


def test_a_secret_is_made_and_new_each_time(cli: Cli) -> None:
    made = {cli("webhooks", "secret").out.removesuffix("\n") for _ in range(3)}
    assert len(made) == 3
    assert all(usable_secret(each, "standard") for each in made)


def test_without_a_secret_nothing_is_registered(cli: Cli, project: Project) -> None:
    del project.source["webhook_secrets"]
    project.save()
    ended = cli("webhooks", "register", URL)
    assert (ended.code, ended.out) == (2, "")
    assert "Source main has no secret" in ended.err
    assert "zimun-sync webhooks secret" in ended.err
    assert 'sources.main.webhook_secrets: ["${ZIMUN_WEBHOOK_SECRET}"]' in ended.err
    assert cli("webhooks", "list", "--json").json == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://sync.example.org", "plain http"),
        ("sync.example.org", "not the URL of a web server"),
        ("ftp://sync.example.org", "not the URL of a web server"),
        ("https://", "not the URL of a web server"),
        ("https://[", "not the URL of a web server"),
        ("https://me:pw@sync.example.org", "not the URL of a web server"),
        ("https://sync.example.org:99999", "not the URL of a web server"),
        ("https://sync.example.org/#there", "not the URL of a web server"),
    ],
)
def test_a_url_that_cannot_be_used(cli: Cli, project: Project, url: str, said: str) -> None:
    ended = cli("webhooks", "register", url)
    assert ended.code == 2
    assert said in ended.err
    assert "what to do: " in ended.err


def test_plain_http_to_this_machine_is_fine(cli: Cli, project: Project) -> None:
    assert cli("webhooks", "register", "http://127.0.0.1:8090").code == 0
    (listed,) = cli("webhooks", "list", "--json").json
    assert listed["url"] == "http://127.0.0.1:8090/webhooks/main"


def test_several_sources_have_to_be_told_apart(cli: Cli, project: Project) -> None:
    project.settings["sources"]["second"] = dict(project.source)
    project.save()
    for command in (("register", URL), ("remove", "w_1")):
        ended = cli("webhooks", *command)
        assert ended.code == 2
        assert "Add --source, one of: main, second." in ended.err
    cli("webhooks", "register", "https://sync.example.org", "--source", "second")
    listed = cli("webhooks", "list", "--json").json  # both are of one organization here
    assert [each["source"] for each in listed] == ["main", "second"]
    assert {each["url"] for each in listed} == {"https://sync.example.org/webhooks/second"}
    (only,) = cli("webhooks", "list", "--json", "-s", "second").json
    assert only["source"] == "second"
    ended = cli("webhooks", "list", "--source", "third")
    assert ended.code == 2
    assert "There is no source named 'third'" in ended.err


def test_removing_what_is_not_there(cli: Cli, project: Project) -> None:
    ended = cli("webhooks", "remove", "w_none")
    assert (ended.code, ended.out) == (1, "")
    assert "Source main has no webhook 'w_none'." in ended.err
    assert "zimun-sync webhooks list" in ended.err


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose API client may only read."""
    options = SandboxOptions(appointments=0, scopes=("org:read", "appointments:read"))
    with Sandbox(options) as running:
        yield running


def test_a_missing_scope_is_named(cli: Cli, project: Project, narrow: Sandbox) -> None:
    project.source["base_url"] = narrow.base_url
    project.save()
    ended = cli("webhooks", "register", URL)
    assert (ended.code, ended.out) == (1, "")
    assert "Give the API client the scope appointments:write" in ended.err
