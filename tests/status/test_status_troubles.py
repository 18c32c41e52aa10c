"""What counts as wrong, in which words, and when it is told."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from tests.status.conftest import HOUR, T0, Bench
from zimun_sync.config.serving import AlertSettings
from zimun_sync.events import Event, TroubleBegan, TroubleEnded
from zimun_sync.model import to_micros
from zimun_sync.status import (
    Severity,
    Snapshot,
    Trouble,
    status_of,
    take,
    tell_changes,
    troubles,
    undecided,
)
from zimun_sync.store import (
    Backlog,
    GivenUp,
    Owed,
    Parked,
    ParkKind,
    QuarantineCount,
    Room,
    RunStatus,
    Store,
)

ALERTS = AlertSettings()
ROOMY = Room(1_000_000, 10**12)
NOW = to_micros(T0)
MINUTE = 60_000_000


@pytest.fixture
def well(bench: Bench) -> Snapshot:
    """A moment at which nothing is wrong and nothing is worth knowing."""
    for stream in bench.config.sources["main"].streams:
        bench.succeed(stream)
    return replace(take(bench.store, bench.config), room=ROOMY)


def changed(snapshot: Snapshot, **fields: Any) -> Snapshot:
    """The snapshot with something else about its source."""
    return replace(snapshot, sources={"main": replace(snapshot.sources["main"], **fields)})


def with_sink(snapshot: Snapshot, **fields: Any) -> Snapshot:
    return replace(snapshot, sinks={"files": replace(snapshot.sinks["files"], **fields)})


def only(snapshot: Snapshot, alerts: AlertSettings = ALERTS) -> Trouble:
    (found,) = troubles(snapshot, alerts)
    return found


def test_when_all_is_well_nothing_is_said(well: Snapshot) -> None:
    assert troubles(well, ALERTS) == []


def test_a_source_that_was_never_listed_is_a_notice(bench: Bench) -> None:
    found = only(replace(take(bench.store, bench.config), room=ROOMY))
    assert (found.subject, found.severity) == ("source main", Severity.NOTICE)
    assert "zimun-sync sync" in found.hint


def test_a_source_is_stale_after_its_hours(bench: Bench, well: Snapshot) -> None:
    assert troubles(replace(well, taken_at=NOW + 26 * 60 * MINUTE), ALERTS) == []
    stale = replace(well, taken_at=NOW + 27 * 60 * MINUTE)
    found = only(stale)
    assert found.subject == "source main"
    assert found.reason == "No good run of services, staff for 27.0 hours."
    assert "zimun-sync serve" in found.hint
    assert found.severity is Severity.TROUBLE
    bench.store.leases.acquire("daemon")
    served = replace(stale, daemon=take(bench.store, bench.config).daemon)
    assert "zimun-sync serve" not in only(served).hint
    assert troubles(stale, AlertSettings(stale_after_hours=28)) == []


def test_a_source_without_any_good_run_is_stale_from_its_first_one(bench: Bench) -> None:
    for stream in bench.config.sources["main"].streams:
        bench.page(bench.begin(stream))  # still under way
    bench.clock.forward(25 * HOUR)
    assert troubles(replace(take(bench.store, bench.config), room=ROOMY), ALERTS) == []
    bench.clock.forward(2 * HOUR)
    found = only(replace(take(bench.store, bench.config), room=ROOMY))
    assert found.reason == "No good run of services, staff for 27.0 hours."


def test_a_list_that_the_api_does_not_have_is_not_stale(bench: Bench) -> None:
    bench.succeed("services")
    bench.fail("staff", status=RunStatus.NOT_OFFERED)
    assert troubles(replace(take(bench.store, bench.config), room=ROOMY), ALERTS) == []


def test_failed_listings_of_a_source_are_one_trouble(bench: Bench) -> None:
    bench.fail("services")
    bench.fail("staff")
    found = only(replace(take(bench.store, bench.config), room=ROOMY))
    assert found.subject == "source main"
    assert found.reason == "Listing staff (and 1 more) failed: The API is down."
    assert found.hint == "Wait."


def test_a_paused_source_alarms_nobody(bench: Bench) -> None:
    bench.fail("services")
    bench.store.pauses.add("main")
    bench.clock.forward(100 * HOUR)
    found = only(replace(take(bench.store, bench.config), room=ROOMY))
    assert found.severity is Severity.NOTICE
    assert found.reason == "It is paused."
    assert found.hint == "`zimun-sync resume --source main` goes on where it stood."


def test_a_run_that_needs_a_person_names_the_command(bench: Bench, well: Snapshot) -> None:
    held = bench.fail("services", status=RunStatus.NEEDS_ATTENTION)
    snapshot = replace(take(bench.store, bench.config), room=ROOMY)
    found = only(snapshot)
    assert (found.subject, found.hint) == ("deletions main/services", "Wait.")
    silent = changed(snapshot, needs_attention=(structs.replace(held, error=None, hint=None),))
    assert f"zimun-sync approve {held.run_id}" in only(silent).hint
    late = replace(snapshot, taken_at=NOW + 27 * 60 * MINUTE)
    staff = "No good run of staff for 27.0 hours."
    assert {each.reason for each in troubles(late, ALERTS)} == {"The API is down.", staff}


@pytest.mark.parametrize(("skew", "told"), [(30.0, ""), (31.0, "ahead of"), (-31.0, "behind")])
def test_a_clock_that_goes_wrong(well: Snapshot, skew: float, told: str) -> None:
    found = troubles(changed(well, skew_seconds=skew), ALERTS)
    assert [each.subject for each in found] == ["clock main"] * bool(told)
    assert all(f"31 s {told} ours" in each.reason for each in found)


def test_webhook_events_that_nobody_takes_in(well: Snapshot) -> None:
    assert troubles(changed(well, backlog=Backlog(9, NOW - 5 * MINUTE)), ALERTS) == []
    found = only(changed(well, backlog=Backlog(1_234, NOW - 6 * MINUTE)))
    assert found.subject == "inbox main"
    assert found.reason == "1,234 webhook events not taken in, the oldest for 6 min."


def test_a_sink_may_be_behind_for_a_while(well: Snapshot) -> None:
    behind = with_sink(well, lag_changes=1, lag_since=NOW - 15 * MINUTE)
    assert troubles(behind, ALERTS) == []
    found = only(with_sink(well, lag_changes=1, lag_since=NOW - 16 * MINUTE))
    assert (found.subject, found.severity) == ("sink files", Severity.TROUBLE)
    assert found.reason == "1 change not taken yet, the oldest for 16 min."


def test_a_parked_sink_is_told_once_with_its_hint(well: Snapshot) -> None:
    parked = Parked(ParkKind.BROKEN, "No such folder.", "Make it.", NOW)
    snapshot = with_sink(well, parked=parked, lag_changes=9, lag_since=0)
    assert only(snapshot) == Trouble("sink files", "Parked: No such folder.", "Make it.")
    paused = with_sink(well, parked=structs.replace(parked, kind=ParkKind.PAUSED))
    assert only(paused).severity is Severity.NOTICE
    assert only(paused).reason == "Paused: No such folder."
    bare = with_sink(well, parked=structs.replace(parked, hint=""))
    assert "zimun-sync resume files" in only(bare).hint


def test_records_in_quarantine_are_a_notice(well: Snapshot) -> None:
    counts = (QuarantineCount("main", "", 1), QuarantineCount("main", "files", 2_000))
    found = troubles(replace(well, quarantine=counts), ALERTS)
    assert [each.subject for each in found] == ["quarantine main", "quarantine main/files"]
    assert found[0].reason == "1 record could not be read."
    assert found[1].reason == "2,000 records refused by files."
    assert {each.severity for each in found} == {Severity.NOTICE}


def test_too_little_space(well: Snapshot) -> None:
    assert troubles(replace(well, room=Room(1, 1_024_000_000)), ALERTS) == []
    found = only(replace(well, room=Room(1, 1_023_000_000)))
    assert (found.subject, found.reason) == ("disk", "1,023 MB are free where the state lies.")
    assert troubles(replace(well, room=Room(1, None)), ALERTS) == []


@pytest.mark.parametrize(
    ("owed", "told"),
    [
        (Owed(2, NOW - 61 * MINUTE), "2 requests to forget someone not carried out"),
        (Owed(by_hand=1), "1 request to forget someone left something for you"),
    ],
    ids=["waiting", "by hand"],
)
def test_people_who_asked_to_be_forgotten(well: Snapshot, owed: Owed, told: str) -> None:
    found = only(replace(well, owed=owed))
    assert (found.subject, found.severity) == ("forgetting", Severity.TROUBLE)
    assert found.reason.startswith(told)
    assert "--receipts" in found.hint


def test_sinks_have_a_while_to_forget(well: Snapshot) -> None:
    assert troubles(replace(well, owed=Owed(1, NOW - 59 * MINUTE)), ALERTS) == []


def test_a_hook_that_was_given_up(well: Snapshot) -> None:
    found = only(replace(well, hooks_given_up=(GivenUp("bi", "500", NOW),)))
    assert (found.subject, found.reason) == ("hook bi", "Its last call was given up: 500")


def test_no_subject_is_told_twice(bench: Bench) -> None:
    bench.fail("services")
    bench.fail("staff", status=RunStatus.NEEDS_ATTENTION)
    bench.page(bench.begin("services"), refused=("x",))
    bench.clock.forward(100 * HOUR)
    snapshot = take(bench.store, bench.config, skews={"main": 99.0})
    found = troubles(
        replace(
            with_sink(snapshot, lag_changes=1, lag_since=0),
            room=Room(1, 1),
            hooks_given_up=(GivenUp("bi", "500", NOW),),
        ),
        ALERTS,
    )
    subjects = [each.subject for each in found]
    assert len(set(subjects)) == len(subjects) >= 6
    severities = [each.severity for each in found]
    assert severities == sorted(severities, key=lambda each: each is Severity.NOTICE)


def tell(bench: Bench, store: Store | None = None) -> list[Event]:
    told: list[Event] = []
    where = store or bench.store
    tell_changes(where, status_of(where, bench.config), told.append)
    return [each for each in told if "disk" not in str(each)]


def test_only_changes_are_told(bench: Bench) -> None:
    bench.succeed("services")
    bench.succeed("staff")
    assert tell(bench) == []
    bench.clock.forward(60)
    bench.fail("services")
    began = TroubleBegan("source main", "Listing services failed: The API is down.", "Wait.")
    assert tell(bench) == [began]
    bench.clock.forward(60)
    bench.fail("staff")
    assert tell(bench) == []
    with Store.open(bench.config.state, bench.config.folder, bench.clock) as restarted:
        assert tell(bench, restarted) == []
    bench.clock.forward(60)
    bench.succeed("services")
    bench.succeed("staff")
    assert tell(bench) == [TroubleEnded("source main", 120.0)]


def test_another_try_neither_ends_a_trouble_nor_begins_it_again(bench: Bench) -> None:
    bench.succeed("staff")
    bench.fail("services")
    assert [type(each) for each in tell(bench)] == [TroubleBegan]
    bench.clock.forward(60)
    run = bench.begin("services", fresh=False)
    assert run.status == RunStatus.RUNNING
    assert undecided(take(bench.store, bench.config)) == {"source main"}
    assert tell(bench) == []
    bench.fail("services", fresh=False)
    assert tell(bench) == []
    bench.clock.forward(60)
    bench.succeed("services")
    assert tell(bench) == [TroubleEnded("source main", 120.0)]


def test_notices_are_not_told(bench: Bench) -> None:
    bench.succeed("staff")
    bench.page(bench.begin("services"), refused=("x",))
    status = status_of(bench.store, bench.config)
    assert "quarantine main" in {each.subject for each in status.troubles}
    assert tell(bench) == []


def test_the_exit_code_tells_whether_someone_is_needed(bench: Bench) -> None:
    bench.succeed("services")
    bench.succeed("staff")
    status = status_of(bench.store, bench.config)
    wrong = Trouble("disk", "Full.", "Free some.")
    notice = Trouble("quarantine main", "One.", "", Severity.NOTICE)
    assert replace(status, troubles=()).exit_code == 0
    assert replace(status, troubles=(notice,)).exit_code == 0
    assert replace(status, troubles=(notice, wrong)).exit_code == 3
    shown = replace(status, troubles=(wrong,)).to_json()
    assert shown["well"] is False
    assert shown["troubles"] == [
        {"subject": "disk", "reason": "Full.", "hint": "Free some.", "severity": "trouble"}
    ]


def test_a_listing_that_did_not_settle_is_worth_knowing(bench: Bench, well: Snapshot) -> None:
    stream = well.sources["main"].streams["services"]
    assert stream.last_run is not None
    run = structs.replace(stream.last_run, passes=5, found_late=2)
    streams = {**well.sources["main"].streams, "services": replace(stream, last_run=run)}
    trouble = only(changed(well, streams=streams))
    assert (trouble.subject, trouble.severity) == ("listing main/services", Severity.NOTICE)
    assert "pass 5 still found 2 records anew" in trouble.reason
