"""Everything goes wrong in one sync, and the content is right all the same."""

import json
from typing import Any

import pytest

from tests.acceptance import contents
from tests.acceptance.conftest import NewProject, Serve
from zimun_sync.sandbox import Sandbox, read_fault

pytestmark = pytest.mark.acceptance

#: Each on a page of its own, once; the last makes the listing start again.
FAULTS = [
    "revoke-token:page=2",
    "429:page=3,retry_after=1",
    "429:page=4,retry_after=date+1",
    "503:page=5",
    "truncate:page=6",
    "missing-next-page-token:page=7",
    "repeat-page:page=8",
    "expire-page-token:page=9",
]
GOOD = {
    "organization_id": "o_morgenlicht",
    "appointment_time": "2026-11-02T09:45:00+01:00",
    "appointment_duration": 45,
    "status": "confirmed",
    "price": {"amount": "19.90", "currency": "EUR"},
    "updated_at": "2026-11-01T00:00:00Z",
}
MALFORMED: dict[str, Any] = {
    "a_bad_time": GOOD | {"appointment_id": "a_bad_time", "appointment_time": "soon"},
    "a_no_time": GOOD | {"appointment_id": "a_no_time", "appointment_time": None},
    "a_list": ["not an object, and no id"],
}


def put(sandbox: Sandbox, key: str, record: Any) -> None:
    sandbox.world.put_appointment(key, json.dumps(record).encode())


def test_eleven_faults_in_one_sync(serve: Serve, new_project: NewProject) -> None:
    sandbox = serve(appointments=2000)
    project = new_project(sandbox.base_url)
    for key, record in MALFORMED.items():
        put(sandbox, key, record)
    for fault in FAULTS:
        sandbox.faults.order(read_fault(fault))

    ended = project.sync()
    assert (ended.code, ended.json["status"]) == (3, "partial"), ended.err
    assert [fault["fired"] for fault in sandbox.faults.report()] == [1] * len(FAULTS)
    assert sandbox.observed.report()["too_early"] == 0
    assert ended.json["in_quarantine"] == 3

    truth = contents.of_source(sandbox.control_url)
    assert truth["count"] == 2000
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth
    quarantined = project.run("quarantine", "list", "--json").json
    assert {entry["sink"] for entry in quarantined} == {None}
    assert {entry["key"] for entry in quarantined} >= {"a_bad_time", "a_no_time"}
    assert all(entry["code"] and entry["message"] for entry in quarantined)


def test_records_that_are_mended_at_the_source_leave_quarantine(
    serve: Serve, new_project: NewProject
) -> None:
    sandbox = serve(appointments=50)
    project = new_project(sandbox.base_url)
    for key, record in MALFORMED.items():
        put(sandbox, key, record)
    assert project.sync().code == 3
    for key in MALFORMED:
        put(sandbox, key, GOOD | {"appointment_id": key, "updated_at": "2026-11-02T00:00:00Z"})

    ended = project.sync()
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.out
    assert project.run("quarantine", "list", "--json").json == []
    truth = contents.of_source(sandbox.control_url)
    assert truth["count"] == 53
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth
