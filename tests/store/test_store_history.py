"""The past of appointments, as a stream: the same whatever order its versions are learnt in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.conftest import SECOND, SOURCE, State, Ticking
from tests.thorough import times
from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS, from_micros, to_micros, to_python
from zimun_sync.normalize import Normalized, Normalizer, Places, Rules, unpack_row
from zimun_sync.normalize.tombstones import tombstone
from zimun_sync.sinks import Batch, Change
from zimun_sync.store import Delivered, Keep, Lease, PageRecords, Place, Store, Understood
from zimun_sync.store.timeline import Sighting, timeline

STREAM = APPOINTMENTS.name
NORMALIZER = Normalizer(APPOINTMENTS, Rules({}, {}), Places())
STATUSES = ("held", "scheduled", "confirmed", "completed", "no_show", "cancelled")


def at(second: int) -> datetime:
    return from_micros(second * SECOND)


def appointment(key: str, updated: int | None, **values: Any) -> Normalized:
    """An appointment; `updated`: its `updated_at` in seconds, None for no such field."""
    content: dict[str, Any] = {
        "appointment_id": key,
        "appointment_time": "2026-03-02T10:00:00+01:00",
        "status": "scheduled",
    }
    content |= values
    if updated is not None:
        content["updated_at"] = at(updated).isoformat()
    return NORMALIZER.normalize(json.dumps(content).encode())


@dataclass
class Desk:
    """A state that learns of appointments by listings and by webhooks."""

    store: Store
    lease: Lease
    events: int = 0

    def show(self, *records: Normalized, asked_at: int = 0) -> None:
        run = self.store.runs.begin(self.lease, SOURCE, STREAM, "p", fresh=True)
        self.store.pages.commit(self.lease, run, PageRecords(records, (), None, asked_at))

    def tell(self, *records: Normalized, sent_at: int = 0) -> None:
        understood = Understood(records=[(record, sent_at) for record in records])
        rules = self.store.renormalizer.fingerprint(SOURCE)
        self.store.inbox.settle(self.lease, SOURCE, STREAM, understood, rules)

    def changes(self, after: int = 0, limit: int = 100_000) -> tuple[Change, ...]:
        stored = self.store.feed.changes(SOURCE, APPOINTMENT_VERSIONS.name, after, limit)
        return Batch(SOURCE, APPOINTMENT_VERSIONS, stored).changes

    def versions(self, *columns: str) -> dict[str, list[tuple[Any, ...]]]:
        """What a sink holds that took everything in any number of batches, by appointment."""
        held: dict[str, dict[str, Any]] = {}
        for change in self.changes():
            if change.row is None:
                held.pop(change.key, None)
            else:
                held[change.key] = dict(change.row)
        found: dict[str, list[tuple[Any, ...]]] = {}
        order = sorted(held.values(), key=lambda row: (row["valid_from"], row["valid_to"] is None))
        for row in order:
            shown = tuple(row[name] for name in ("valid_from", "valid_to", *columns))
            found.setdefault(row["appointment_id"], []).append(shown)
        return found


@pytest.fixture
def desk(state: State) -> Desk:
    store = state.open()
    store.add_source(SOURCE)
    return Desk(store, store.leases.acquire(f"source:{SOURCE}"))


def test_an_appointment_that_never_changed_has_no_past(desk: Desk) -> None:
    desk.show(appointment("a", 1), appointment("b", 2))
    desk.show(appointment("a", 1), appointment("b", 2))
    assert desk.changes() == ()


def test_each_change_makes_a_version(desk: Desk) -> None:
    desk.show(appointment("a", 10, notes="first"))
    desk.tell(appointment("a", 20, notes="second", status="confirmed"))
    desk.show(appointment("a", 30, notes="second", status="cancelled"))
    assert desk.versions("status", "changed", "learnt_by", "is_deleted") == {
        "a": [
            (at(10), at(20), "scheduled", None, "pull", False),
            (at(20), at(30), "confirmed", _names("status", "source_status", "notes"), "webhook", 0),
            (at(30), None, "cancelled", _names("status", "source_status"), "pull", False),
        ]
    }


def _names(*columns: str) -> str:
    return json.dumps(columns, separators=(",", ":"))


def test_a_version_that_comes_late_enters_at_its_place(desk: Desk) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.show(appointment("a", 30, status="cancelled"))
    seq = desk.changes()[-1].seq
    desk.tell(appointment("a", 20, status="confirmed"))
    assert desk.versions("status")["a"] == [
        (at(10), at(20), "held"),
        (at(20), at(30), "confirmed"),
        (at(30), None, "cancelled"),
    ]
    assert {change.seq for change in desk.changes()} > {seq} or desk.changes()[-1].seq > seq
    assert len(desk.changes(after=seq)) == 3


def test_the_same_late_version_again_changes_nothing(desk: Desk) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.show(appointment("a", 30, status="cancelled"))
    desk.tell(appointment("a", 20))
    seq = desk.changes()[-1].seq
    desk.tell(appointment("a", 20))
    desk.tell(appointment("a", 10, status="held"))
    assert desk.changes(after=seq) == ()


def test_two_versions_of_one_page_are_both_kept(desk: Desk) -> None:
    desk.show(appointment("a", 20, status="confirmed"), appointment("a", 10, status="held"))
    assert desk.versions("status")["a"] == [
        (at(10), at(20), "held"),
        (at(20), None, "confirmed"),
    ]


def test_versions_told_together_are_all_kept(desk: Desk) -> None:
    untimed = appointment("a", None, notes="last")
    told = [appointment("a", 20, notes="second"), untimed, appointment("a", 10, notes="first")]
    desk.tell(*told, sent_at=30 * SECOND)
    assert desk.versions("notes")["a"] == [
        (at(10), at(20), "first"),
        (at(20), at(30), "second"),
        (at(30), None, "last"),
    ]


def test_what_a_listing_shows_and_the_api_denies_is_no_version_of_the_future(desk: Desk) -> None:
    true = appointment("a", 10, status="held")
    desk.show(true)
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    desk.store.pages.correct(desk.lease, run, true, 40 * SECOND, listed=appointment("a", 20))
    assert desk.versions() == {}


def test_what_a_listing_shows_late_and_the_api_denies_was_there_before(desk: Desk) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.tell(appointment("a", 30, status="cancelled"))
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    stale, true = appointment("a", 20), appointment("a", 30, status="cancelled")
    desk.store.pages.correct(desk.lease, run, true, 40 * SECOND, listed=stale)
    assert [each[2] for each in desk.versions("status")["a"]] == ["held", "scheduled", "cancelled"]


def test_a_version_put_in_anothers_place_stands_from_no_earlier(desk: Desk) -> None:
    desk.show(appointment("a", 90, notes="wrong"))
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    desk.store.pages.correct(desk.lease, run, appointment("a", 50, notes="right"), 100 * SECOND)
    desk.show(appointment("a", 95, notes="newer"))
    assert desk.versions("notes")["a"] == [
        (at(90), at(90), "wrong"),
        (at(90), at(95), "right"),
        (at(95), None, "newer"),
    ]


def test_a_version_that_is_confirmed_stands_from_no_earlier(desk: Desk) -> None:
    desk.show(appointment("a", None, notes="wrong"), asked_at=90 * SECOND)
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    right = appointment("a", None, notes="right")
    desk.store.pages.correct(desk.lease, run, right, 50 * SECOND)
    desk.show(right, asked_at=95 * SECOND)
    assert desk.versions("notes")["a"] == [(at(90), at(90), "wrong"), (at(90), None, "right")]


def test_a_deletion_is_a_version(desk: Desk) -> None:
    record = appointment("a", 10)
    desk.show(record)
    gone = tombstone(APPOINTMENTS, "a", record.row, 20 * SECOND)
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    desk.store.missing.bury(desk.lease, run, {"a": 20 * SECOND})
    assert gone.key == "a"
    assert desk.versions("is_deleted", "changed", "status")["a"] == [
        (at(10), at(20), False, None, "scheduled"),
        (at(20), None, True, _names("deleted_at"), "scheduled"),
    ]


def test_a_batch_ends_between_appointments(desk: Desk) -> None:
    for second in (10, 20, 30):
        desk.show(*(appointment(f"k{each}", second) for each in range(4)))
    seen, after = [], 0
    while batch := desk.changes(after, limit=5):
        seen.append([change.row["appointment_id"] for change in batch if change.row])
        after = batch[-1].seq
    assert seen == [["k0"] * 3, ["k1"] * 3, ["k2"] * 3, ["k3"] * 3]


def test_renormalized_rows_are_read_anew(desk: Desk) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.show(appointment("a", 20, status="checked_in"))
    seq = desk.changes()[-1].seq
    desk.store.renormalizer.run(
        desk.lease,
        SOURCE,
        Normalizer(APPOINTMENTS, Rules({}, {"checked_in": "completed"}), Places()),
    )
    assert [each.row["status"] for each in desk.changes(after=seq) if each.row] == [
        "held",
        "completed",
    ]


def test_a_replay_since_a_time_and_of_one_stream_reaches_versions(
    desk: Desk, clock: Ticking
) -> None:
    desk.show(appointment("a", 10), appointment("b", 10))
    desk.show(appointment("a", 20))
    first = desk.changes()[-1].seq
    clock.forward(3600)
    since = to_micros(clock())
    desk.show(appointment("b", 20))
    last = desk.changes()[-1].seq
    offsets = desk.store.deliveries
    sink = desk.store.leases.acquire("sink:files")
    versions = Place("files", SOURCE, APPOINTMENT_VERSIONS.name)
    for place in (versions, Place("files", SOURCE, STREAM)):
        assert offsets.record(sink, place, "v1", Delivered(last, [], (), "run"), began_at=0)
    offsets.rewind("files", since)
    assert offsets.offset(versions, "v1") == last - 1 >= first
    offsets.rewind("files", stream=APPOINTMENT_VERSIONS.name)
    assert offsets.offset(versions, "v1") == 0
    assert offsets.offset(Place("files", SOURCE, STREAM), "v1") == last - 1


# -- without a time of the source ---------------------------------------------------------------


def test_without_a_version_the_time_of_asking_counts(desk: Desk) -> None:
    desk.show(appointment("a", None, status="held"), asked_at=10 * SECOND)
    desk.show(appointment("a", None, status="held"), asked_at=20 * SECOND)
    desk.show(appointment("a", None), asked_at=30 * SECOND)
    assert desk.versions("status")["a"] == [(at(10), at(30), "held"), (at(30), None, "scheduled")]


def test_a_content_that_turns_out_to_have_come_back_counts_twice(desk: Desk) -> None:
    desk.show(appointment("a", None, status="held"), asked_at=10 * SECOND)
    desk.show(appointment("a", None, status="held"), asked_at=30 * SECOND)
    desk.tell(appointment("a", None), sent_at=20 * SECOND)
    expected = [(at(10), at(20), "held"), (at(20), at(30), "scheduled"), (at(30), None, "held")]
    assert desk.versions("status")["a"] == expected
    desk.show(appointment("a", None, status="held"), asked_at=40 * SECOND)
    assert desk.versions("status")["a"] == expected


def test_what_stands_may_turn_out_to_have_stood_before(desk: Desk) -> None:
    desk.show(appointment("a", None, status="held"), asked_at=30 * SECOND)
    desk.show(appointment("a", None), asked_at=40 * SECOND)
    before = {change.key for change in desk.changes()}
    desk.tell(appointment("a", None, status="held"), sent_at=20 * SECOND)
    after = {change.key: change.row for change in desk.changes()}
    assert before <= after.keys()
    assert desk.versions("status")["a"] == [(at(20), at(40), "held"), (at(40), None, "scheduled")]


@pytest.mark.parametrize("late_first", [True, False])
def test_of_two_versions_of_one_time_the_later_one_began_no_sooner(
    desk: Desk, late_first: bool
) -> None:
    """The one that stands after it was seen before it, too."""
    first, last = _by_hash()
    desk.show(appointment("a", None, status=last), asked_at=10 * SECOND)
    for status in (first, last) if late_first else (last, first):
        desk.tell(appointment("a", None, status=status), sent_at=30 * SECOND)
    assert desk.versions("status")["a"] == [
        (at(10), at(30), last),
        (at(30), at(30), first),
        (at(30), None, last),
    ]


def _by_hash() -> list[str]:
    """Two statuses: of versions of one time, that with the second stands."""
    return sorted(("held", "scheduled"), key=lambda each: appointment("a", None, status=each).hash)


# -- what a sink holds while the state goes on ----------------------------------------------------


def held(desk: Desk, into: dict[str, Any], after: int = 0) -> dict[str, Any]:
    """Rows by key of a sink that took what came after a sequence."""
    for change in desk.changes(after):
        if change.row is None:
            into.pop(change.key, None)
        else:
            into[change.key] = change.row
    return into


def test_a_version_that_a_sink_was_told_of_is_never_another_one_later(desk: Desk) -> None:
    first, last = _by_hash()
    desk.show(appointment("a", None, status=last), asked_at=10 * SECOND)
    for status in (last, first):
        desk.tell(appointment("a", None, status=status), sent_at=30 * SECOND)
    sink = held(desk, {})
    seq = desk.changes()[-1].seq
    desk.show(appointment("a", None, status=first), asked_at=40 * SECOND)
    assert held(desk, sink, seq) == held(desk, {})


def test_a_sink_that_takes_what_there_is_now_and_then_holds_what_a_new_one_does(
    desk: Desk,
) -> None:
    random = Random(20261124)
    sink: dict[str, Any] = {}
    seq = 0
    keys = [f"a{number:04}" for number in range(times(150, 3_000))]
    for _ in range(10):
        _learn(desk, random.sample(keys, len(keys) // 2), random)
        if random.random() < 0.7:
            held(desk, sink, seq)
            seq = desk.store.feed.heads()[SOURCE]
    assert held(desk, sink, seq) == held(desk, {})


def _learn(desk: Desk, keys: Sequence[str], random: Random) -> None:
    """Something about each, most of it at the same few times; now and then that it is gone."""
    told = [
        appointment(key, random.choice([None, None, None, 2]), status=random.choice(STATUSES[:2]))
        for key in keys
    ]
    moment = random.randint(1, 3) * SECOND
    if random.random() < 0.5:
        desk.tell(*told, sent_at=moment)
    else:
        desk.show(*told, asked_at=moment)
    run = desk.store.runs.begin(desk.lease, SOURCE, STREAM, "p", fresh=True)
    desk.store.missing.bury(desk.lease, run, dict.fromkeys(keys[::20], moment))


def test_what_is_seen_again_was_learnt_when_it_was_first_seen(desk: Desk) -> None:
    desk.show(appointment("a", None, status="held"), asked_at=10 * SECOND)
    desk.tell(appointment("a", None, status="confirmed"), sent_at=20 * SECOND)
    hashes = dict(desk.store.feed.hashes(SOURCE, APPOINTMENT_VERSIONS.name))
    changed_at = desk.store.overview.last_change_at(SOURCE, STREAM)
    desk.show(appointment("a", None, status="confirmed"), asked_at=30 * SECOND)
    assert dict(desk.store.feed.hashes(SOURCE, APPOINTMENT_VERSIONS.name)) == hashes
    assert desk.store.overview.last_change_at(SOURCE, STREAM) == changed_at


def test_a_sink_is_as_far_behind_as_the_oldest_change_that_it_lacks(
    desk: Desk, clock: Ticking
) -> None:
    desk.show(appointment("a", 10))
    desk.show(appointment("a", 20))
    clock.forward(60 * 86_400)
    head = desk.store.feed.heads()[SOURCE]
    desk.show(appointment("a", 30))
    for reads in (desk.store.overview, desk.store.feed):
        lag = reads.lag(SOURCE, APPOINTMENT_VERSIONS.name, head)
        assert lag.changes == 1
        assert lag.oldest is not None
        assert desk.store.now() - lag.oldest < 60 * SECOND


OLD = Keep(inbox_days=None, runs_days=None, history_days=5, quarantine_days=None)


def test_retention_leaves_what_tells_the_next_change(desk: Desk, clock: Ticking) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.show(appointment("a", 15, status="scheduled"))
    desk.show(appointment("a", 20, status="confirmed"))
    clock.forward(10 * 86_400)
    desk.show(appointment("a", 30, status="cancelled"))
    sink = held(desk, {})
    before = {key: row["changed"] for key, row in sink.items()}
    seq = desk.changes()[-1].seq
    assert desk.store.retention.clean(OLD).history == 1
    assert desk.store.retention.clean(OLD).history == 0
    assert len(desk.changes()) == 2, "a new sink is given what is within its time"
    desk.show(appointment("a", 40, status="completed"))
    held(desk, sink, seq)
    assert {key: sink[key]["changed"] for key in before} == before
    assert [row["valid_to"] for row in sink.values()].count(None) == 1


def test_a_first_sight_past_its_time_leaves_no_second_present(desk: Desk, clock: Ticking) -> None:
    desk.show(appointment("a", None, status="held"), asked_at=10 * SECOND)
    desk.tell(appointment("a", None, status="held"), sent_at=5 * SECOND)
    sink = held(desk, {})
    seq = desk.store.feed.heads()[SOURCE]
    clock.forward(30 * 86_400)
    desk.store.retention.clean(OLD)
    desk.show(appointment("a", None, status="cancelled"), asked_at=30 * SECOND)
    held(desk, sink, seq)
    assert [row["valid_to"] for row in sink.values()].count(None) == 1


def test_new_rules_reach_a_version_whose_past_is_past_its_time(desk: Desk, clock: Ticking) -> None:
    desk.show(appointment("a", 10, status="held"))
    desk.show(appointment("a", 20, status="strange"))
    sink = held(desk, {})
    seq = desk.store.feed.heads()[SOURCE]
    clock.forward(30 * 86_400)
    desk.store.retention.clean(OLD)
    normalizer = Normalizer(APPOINTMENTS, Rules({}, {"strange": "cancelled"}), Places())
    assert desk.store.renormalizer.run(desk.lease, SOURCE, normalizer) == 1
    held(desk, sink, seq)
    assert {row["status"] for row in sink.values() if row["valid_to"] is None} == {"cancelled"}


# -- any order -----------------------------------------------------------------------------------


def test_appointments_shuffled_and_doubled_have_their_true_history(desk: Desk) -> None:
    random = Random(20261121)
    truth, arrivals = {}, []
    for number in range(200):
        versions = _life(f"a{number:04}", random)
        truth[f"a{number:04}"] = versions
        arrivals += [record for _, record in versions]
    arrivals += random.sample(arrivals, len(arrivals))
    random.shuffle(arrivals)
    _deliver(desk, arrivals, random)
    expected = {
        key: [
            (at(start), None if end is None else at(end), _content(record))
            for (start, record), end in zip(
                versions, [second for second, _ in versions[1:]] + [None], strict=True
            )
        ]
        for key, versions in truth.items()
        if len(versions) > 1
    }
    names = [column.name for column in APPOINTMENTS.content]
    found = {
        key: [(start, end, tuple(row)) for start, end, *row in versions]
        for key, versions in desk.versions(*names).items()
    }
    assert found == expected


def _life(key: str, random: Random) -> list[tuple[int, Normalized]]:
    """Versions of one appointment with the second each begins, all of them different."""
    seconds = sorted(random.sample(range(1, 100_000), random.randint(1, 6)))
    return [
        (second, appointment(key, second, status=random.choice(STATUSES), notes=f"note {number}"))
        for number, second in enumerate(seconds)
    ]


def _content(record: Normalized) -> tuple[Any, ...]:
    return tuple(
        to_python(value, column.type)
        for column, value in zip(APPOINTMENTS.content, unpack_row(record.row), strict=True)
    )


def _deliver(desk: Desk, arrivals: Sequence[Normalized], random: Random) -> None:
    """By listings and by webhooks in turn; a listing's page holds any number of versions."""
    position = 0
    while position < len(arrivals):
        if random.random() < 0.5:
            desk.tell(arrivals[position])
            position += 1
        else:
            length = random.randint(1, 200)
            desk.show(*arrivals[position : position + length])
            position += length


# -- the law -------------------------------------------------------------------------------------

sightings = st.builds(
    lambda since, stays, content, deleted, overruled: Sighting(
        int(overruled is not None),
        -(2**63) if overruled is None else overruled,
        since + stays,
        since,
        deleted,
        content.encode(),
        tuple(content),
        "run",
        0,
    ),
    st.integers(0, 20),
    st.integers(0, 3),
    st.sampled_from(["x", "y", "z"]),
    st.booleans(),
    st.none() | st.integers(0, 20),
)


@settings(max_examples=500)
@given(st.lists(sightings, min_size=1, max_size=8).flatmap(st.permutations), sightings)
def test_versions_follow_one_another_without_gaps_in_any_order(
    past: list[Sighting], present: Sighting
) -> None:
    found = timeline("k", past, present)
    assert found == timeline("k", sorted(past), present)
    versions = found.versions
    assert all(before.valid_to == after.valid_from for before, after in pairwise(versions))
    assert [version.valid_from for version in versions] == sorted(
        version.valid_from for version in versions
    )
    assert versions[-1].valid_to is None
    assert (versions[-1].seen.row, versions[-1].seen.deleted) == (present.row, present.deleted)
    ids = [version.version_id for version in versions]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(found.merged)


def test_times_of_any_century_have_an_id() -> None:
    early = datetime(1, 1, 1, tzinfo=UTC)
    micros = (early - from_micros(0)).days * 86_400 * SECOND
    sighting = Sighting(0, -(2**63), micros, micros, False, b"x", ("x",), "run", 0)
    [version] = timeline("k", [], sighting).versions
    assert version.version_id == "k@0001-01-01T00:00:00.000000+00:00"
