"""`zimun-sync reset` and `replay --from`: delivered anew from the state, without the API."""

import io
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.program import Project
from tests.thorough import times
from tests.verify.conftest import Cli, change_database, content, present, put
from tests.verify.test_verify_sinks import delivering
from zimun_sync.sandbox import Sandbox


@pytest.mark.parametrize("sink", ["files", "analytics"][: times(1, 2)])
def test_a_sink_is_emptied_and_filled_anew(
    cli: Cli, project: Project, sandbox: Sandbox, sink: str
) -> None:
    project.settings["sinks"] = {sink: project.sinks[sink]}
    project.save()
    assert cli("sync").code == 0
    put(sandbox, present(sandbox), notes="moved")
    assert cli("sync").code == 0
    before = content(project)
    if sink == "analytics":
        row = "INSERT INTO appointments (appointment_id, _source, _seq) VALUES ('x', 'main', 9)"
        change_database(project, row)
    sandbox.observed.reset()
    ended = cli("reset", sink, "--yes", "--json")
    found = ended.json["sinks"][sink]
    assert (ended.code, found["state"], found["lag"]["changes"]) == (0, "current", 0)
    assert ended.json["deleted"] >= found["applied"] > 0
    assert content(project) == before
    assert sum(sandbox.observed.report()["requests"].values()) == 0
    assert cli("verify", "--no-source").code == 0


def test_it_asks_first(filed: Cli, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(project)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ended = filed("reset", "files")
    assert (ended.code, "Delete everything that sink files holds" in ended.out) == (1, True)
    assert content(project) == before


def test_one_that_is_delivered_to_is_left_alone(filed: Cli, project: Project) -> None:
    before = content(project)
    with delivering(project, "files"):
        ended = filed("reset", "files", "--yes")
    assert (ended.code, "Stop the daemon" in ended.err) == (1, True)
    assert content(project) == before


# -- replay -------------------------------------------------------------------------------------


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clocks show eight hours more than UTC."""
    monkeypatch.setenv("TZ", "Asia/Singapore")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_replay_from_a_time_in_any_zone(filed: Cli, far_east: None) -> None:
    stored = time.time()
    zones = ("", 8.0), ("-0530", -5.5), ("Z", 0.0), ("+08:00", 8.0)
    for zone, hours in zones[: times(2, 4)]:
        for seconds, again in (-3_600, True), (3_600, False):
            moment = time.gmtime(stored + seconds + hours * 3_600)
            since = time.strftime("%Y-%m-%dT%H:%M:%S", moment) + zone
            assert filed("replay", "files", "--from", since).code == 0
            filled = filed("backfill", "--sink", "files", "--json").json["sinks"]["files"]
            assert (filled["unchanged"] > 0) is again, since
