"""`zimun-sync reset` and `replay --from`: delivered anew from the state, without the API."""

import io
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.program import Project
from tests.verify.conftest import Cli, change_database, content, present, put
from tests.verify.test_verify_sinks import delivering
from zimun_sync.sandbox import Sandbox


def test_a_sink_is_emptied_and_filled_anew(synced: Cli, project: Project, sandbox: Sandbox) -> None:
    put(sandbox, present(sandbox), notes="moved")
    assert synced("sync").code == 0
    before = content(project)
    change_database(
        project, "INSERT INTO appointments (appointment_id, _source, _seq) VALUES ('x', 'main', 9)"
    )
    sandbox.observed.reset()
    for sink in "analytics", "files":
        ended = synced("reset", sink, "--yes", "--json")
        found = ended.json["sinks"][sink]
        assert (ended.code, found["state"], found["lag"]["changes"]) == (0, "current", 0)
        assert ended.json["deleted"] >= found["applied"] > 0
        assert content(project) == before
    assert sum(sandbox.observed.report()["requests"].values()) == 0
    assert synced("verify").code == 0


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
    for zone, hours in ("", 8.0), ("Z", 0.0), ("+08:00", 8.0), ("-0530", -5.5):
        for seconds, again in (-3_600, True), (3_600, False):
            moment = time.gmtime(stored + seconds + hours * 3_600)
            since = time.strftime("%Y-%m-%dT%H:%M:%S", moment) + zone
            assert filed("replay", "files", "--from", since).code == 0
            filled = filed("backfill", "--sink", "files", "--json").json["sinks"]["files"]
            assert (filled["unchanged"] > 0) is again, since
