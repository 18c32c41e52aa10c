"""`zimun-sync verify`: what the source lists now, against what is stored; it stores nothing."""

from typing import Any

import pytest

from tests.acceptance.program import Project
from tests.verify.conftest import (
    ROWS,
    Cli,
    change_state,
    content,
    fault,
    keys,
    opened,
    present,
    put,
    told,
)
from zimun_sync.errors import NotFound
from zimun_sync.pipeline.verify_source import SourceComparison
from zimun_sync.sandbox import Sandbox
from zimun_sync.zimun import Page, ZimunClient

SOURCE_LATER = "the source has the later updated_at"
STORE_LATER = "the store has the later updated_at"


def test_changes_that_no_webhook_told(filed: Cli, project: Project, sandbox: Sandbox) -> None:
    before = content(project)
    moved = put(sandbox, present(sandbox, 0), notes="moved")
    back = put(sandbox, present(sandbox, 1), age=-(10 * 365 * 86_400), notes="older")
    added = put(sandbox, present(sandbox, 2), appointment_id="a_new")
    gone = present(sandbox, 3)["appointment_id"]
    sandbox.world.remove_appointment(gone)
    ended = filed("verify", "--json")
    assert ended.code == 3
    assert told(ended) == {
        fault("", moved, "stale-in-store", SOURCE_LATER),
        fault("", back, "stale-in-store", STORE_LATER),
        fault("", added, "missing-in-store"),
        fault("", gone, "gone-at-source", "asked for by id, it is gone"),
    }
    assert content(project) == before
    mended = filed("verify", "--repair", "--json")
    assert (mended.code, mended.json["repaired"]) == (0, {"source main": 4})
    assert gone not in keys(project)
    assert added in keys(project)


def test_a_row_that_was_deleted_from_the_state(filed: Cli, project: Project) -> None:
    before, lost = content(project), keys(project)[0]
    change_state(project, f"DELETE FROM records WHERE key = '{lost}'")
    ended = filed("verify", "--json")
    assert told(ended) == {
        fault("", lost, "missing-in-store"),
        fault("files", lost, "only-in-sink", "unknown to the store"),
    }
    assert filed("verify", "--repair").code == 0
    assert content(project) == before


def test_what_cannot_be_read(filed: Cli, sandbox: Sandbox) -> None:
    bad = put(sandbox, present(sandbox), appointment_time="tomorrow")
    fresh = filed("verify", "--sink", "files", "--source", "main", "--json")
    assert told(fresh) == {fault("", bad, "in-quarantine", "bad-time")}
    assert filed("sync").code == 3
    ended = filed("verify", "--json")
    assert told(ended) == {("", bad, "in-quarantine", "quarantine", "bad-time")}
    assert ended.code == 3
    [entry] = filed("quarantine", "list", "--json").json
    assert filed("quarantine", "drop", str(entry["id"])).code == 0
    assert filed("verify").code == 0


def test_the_api_is_only_asked_where_that_is_wanted(filed: Cli, sandbox: Sandbox) -> None:
    sandbox.observed.reset()
    assert filed("verify", "--no-source").code == 0
    assert filed("verify", "--sink", "files").code == 0
    assert sum(sandbox.observed.report()["requests"].values()) == 0


def test_an_api_that_is_away_could_not_be_compared(filed: Cli, project: Project) -> None:
    project.source["client_secret"] = "wrong"
    project.save()
    ended = filed("verify", "--json")
    assert (ended.code, ended.json["status"]) == (1, "failed")
    assert all(each["failed"] for each in ended.json["sources"])
    assert all(sink["streams"] for sink in ended.json["sinks"].values())
    assert "could not be compared" in filed("verify").out


class Nameless:
    """An API that finds nothing by id, as with a wrong path."""

    def __init__(self, api: ZimunClient) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def record(self, stream: str, key: str) -> Page:
        raise NotFound(f"There is no {stream} {key}.")


def test_what_is_listed_is_there_whatever_by_id_says(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    lost = keys(project)[0]
    change_state(project, f"DELETE FROM records WHERE key = '{lost}'")
    moved = put(sandbox, present(sandbox, 5), notes="moved")
    found = {each["key"]: each for each in compare(project, None, Nameless)}
    assert {(key, each["kind"], each["why"]) for key, each in found.items()} == {
        (lost, "missing-in-store", "fault"),
        (moved, "stale-in-store", "fault"),
    }
    assert all("not found by id: check `paths`" in each["detail"] for each in found.values())


# -- changes while it is being compared --------------------------------------------------------


class Meanwhile:
    """The API, in which something happens once the first page has been answered."""

    def __init__(self, api: ZimunClient, happens: Any) -> None:
        self._api, self._happens = api, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def page(self, stream: str, page_token: str | None = None, *rest: Any) -> Page:
        page = self._api.page(stream, page_token, *rest)
        if stream == "appointments" and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return page


def compare(project: Project, happens: Any, listings: Any = None) -> list[dict[str, Any]]:
    """What the comparison with the source tells of appointments."""
    from dataclasses import replace
    from threading import Event

    from zimun_sync.config import load
    from zimun_sync.wiring import source_job

    def ignore(_event: object) -> None:
        pass

    with (
        opened(project) as store,
        source_job(load(project.file), "main", ignore, Event()) as job,
    ):
        api: Any = job.listings
        wrapped: Any = listings(api) if listings else Meanwhile(api, happens)
        comparison = SourceComparison(replace(job, listings=wrapped), store, ignore, lambda: False)
        found = next(each for each in comparison.run() if each.stream == "appointments")
    differences: list[dict[str, Any]] = found.to_json()["differences"]
    return differences


def test_a_change_that_only_the_listing_saw_is_left_undecided(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    last = present(sandbox, ROWS - 1)
    [found] = compare(project, lambda: put(sandbox, last, age=0.0, notes="just now"))
    assert (found["kind"], found["why"]) == ("stale-in-store", "undecided")


def test_a_change_that_reached_the_state_too_is_no_difference(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    first = present(sandbox, 0)

    def change_and_sync() -> None:
        put(sandbox, first, age=-3_600.0, notes="meanwhile")
        sandbox.world.remove_appointment(present(sandbox, 1)["appointment_id"])
        assert project.sync().code == 0

    assert compare(project, change_and_sync) == []


def test_more_than_can_be_asked_for_by_id(
    filed: Cli, project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zimun_sync.pipeline.doubts.ASKED_AT_MOST", 1)
    moved = [put(sandbox, present(sandbox, at), notes="moved") for at in (0, 1)]
    gone = present(sandbox, 2)["appointment_id"]
    sandbox.world.remove_appointment(gone)
    appointments = filed("verify", "--json").json["sources"][-1]
    found = {each["key"]: each for each in appointments["differences"]}
    assert {found[key]["why"] for key in moved} == {"fault"}
    assert sum("was not asked for by id" in each["detail"] for each in found.values()) == 2
    assert found[gone]["why"] == "undecided"
