"""Delivering to remote systems: consent, previews, the brake, notices, retries, replays."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.pipeline.crm import Crm, CrmSink
from zimun_sync.errors import LeaseLost, SinkBroken, SinkUnavailable
from zimun_sync.events import BatchDelivered, SinkNoticed, SinkParked
from zimun_sync.ids import Activation, IdState, Known
from zimun_sync.pipeline.activating import Announcement, activate, announce
from zimun_sync.pipeline.consent import starting_from
from zimun_sync.pipeline.contact import Surroundings, delivery_of, sink_context
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.pipeline.preview import Preview
from zimun_sync.sinks import Batch, Difference, SinkContext, StartFrom

Make = Callable[..., dict[str, Any]]
STREAMS = {"main": ["locations", "appointments"]}
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def remote(bench: Any, crm: Crm, make_appointment: Make) -> CrmSink:
    """A sink for the CRM beside the one in memory, and twelve appointments of four people."""
    people = [f"p{number % 4}@example.com" for number in range(12)]
    bench.api.put(
        "appointments",
        *(make_appointment(n, contact_email=email) for n, email in enumerate(people)),
    )
    sink = CrmSink(crm)
    bench.sinks["crm"] = sink
    return sink


def announced(bench: Any, sink: CrmSink) -> Announcement:
    return announce(bench.store, "crm", sink, {"main": ["appointments"]}, NOW)


def agree(bench: Any, sink: CrmSink) -> Announcement:
    announcement = announced(bench, sink)
    activate(bench.store, announcement)
    return announcement


@pytest.fixture
def active(bench: Any, remote: CrmSink) -> CrmSink:
    """The sink with everything in the store, and agreed to."""
    bench.sync()
    agree(bench, remote)
    return remote


@pytest.fixture
def delivery(bench: Any, active: CrmSink) -> Iterator[Delivery]:
    """The CRM's delivery, for tests that take it step by step."""
    lease = bench.store.leases.acquire("sink:crm")
    at = Surroundings(bench.store, bench.events.append, bench.options.stop)
    made = delivery_of("crm", active, lease, STREAMS, at)
    yield made
    made.close()


def run_out(delivery: Delivery) -> Progress:
    while (progress := delivery.step(more=False)) is Progress.DELIVERED:
        pass
    return progress


# -- consent ---------------------------------------------------------------------------------


def test_a_sink_that_nobody_activated_gets_nothing_and_holds_nobody_up(
    bench: Any, remote: CrmSink, crm: Crm
) -> None:
    report = bench.sync()
    assert (report.status, report.exit_code) == ("partial", 3)
    assert report.sinks["crm"].state == "parked"
    assert report.sinks["crm"].reason == "It writes nothing until it is activated."
    assert "zimun-sync sinks activate crm" in report.sinks["crm"].hint
    assert (crm.connections, crm.writes) == (0, [])
    assert len(bench.sink.keys()) == 12
    assert bench.store.deliveries.parked()["crm"].kind == "inactive"
    bench.sync()
    assert len(bench.of(SinkParked)) == 1


@pytest.mark.parametrize("trouble", ["down", "refuses"])
def test_whatever_is_wrong_with_a_remote_system_the_others_are_delivered_to(
    bench: Any, remote: CrmSink, crm: Crm, trouble: str
) -> None:
    setattr(crm, trouble, True)
    bench.sync()
    bench.store.activations.activate("crm", None, 0)
    bench.sync()
    assert len(bench.sink.keys()) == 12


def test_what_was_announced_is_what_is_written(bench: Any, active: CrmSink, crm: Crm) -> None:
    assert crm.writes == []
    report = bench.sync()
    assert (report.status, report.sinks["crm"].applied) == ("succeeded", 12)
    assert sorted(crm.writes) == sorted(
        [f"create contact c-p{n}@example.com" for n in range(4)]
        + [f"create appointment a-a_{n:05d}" for n in range(12)]
    )


def test_the_announcement_counts_each_kind_and_writes_nothing(
    bench: Any, remote: CrmSink, crm: Crm, make_appointment: Make
) -> None:
    bench.api.put(
        "appointments",
        make_appointment(1, contact_email="a@example.com"),
        make_appointment(2, contact_email="a@example.com", status="something else"),
        make_appointment(3, contact_email="a@example.com"),
        make_appointment(4, appointment_time="2026-10-01T09:00:00+02:00"),
        make_appointment(5, appointment_time="2026-10-02T09:00:00+02:00"),
    )
    remote.start_from = date(2026, 11, 1)
    bench.sync()
    tally = announced(bench, remote).tally
    assert tally.counts == {("contact", "create"): 1, ("appointment", "create"): 2}
    assert (tally.creates, tally.changes, tally.unchanged) == (3, 5, 0)
    assert (tally.left_out("reject"), tally.left_out("skip")) == (1, 2)
    assert tally.reasons["reject", "Its status is not known here."].example == "a_00002"
    assert crm.writes == []
    memory = bench.store.memory("crm")
    assert memory.known("appointment", ["main/a_00001"]) == {}
    assert (memory.account(), memory.activation()) == (None, None)


def test_a_sink_writes_to_the_account_that_was_looked_at(bench: Any, active: CrmSink) -> None:
    assert bench.store.memory("crm").account() == "crm-1"


def test_an_activation_is_taken_up_without_a_new_start(
    bench: Any, remote: CrmSink, crm: Crm
) -> None:
    bench.sync()
    lease = bench.store.leases.acquire("sink:crm")
    at = Surroundings(bench.store, bench.events.append, bench.options.stop)
    delivery = delivery_of("crm", remote, lease, STREAMS, at)
    assert delivery.step(more=False) is Progress.PARKED
    agree(bench, remote)
    assert run_out(delivery) is Progress.IDLE
    assert len(crm.appointments) == 12
    bench.store.activations.deactivate("crm")
    assert delivery.step(more=False) is Progress.PARKED


def test_a_consent_that_came_while_the_sink_was_being_parked_counts(
    bench: Any, active: CrmSink
) -> None:
    bench.store.deliveries.park("crm", "inactive", "It writes nothing.", "Activate it.")
    assert bench.sync().sinks["crm"].state == "current"


def test_a_sink_of_another_kind_under_the_same_name_is_not_held_up(
    bench: Any, remote: CrmSink, make_sink: Any
) -> None:
    bench.sync()
    bench.sinks["crm"] = make_sink()
    assert bench.sync().sinks["crm"].state == "current"


@pytest.mark.parametrize(
    ("agreed", "configured", "covered"),
    [
        (date(2026, 11, 1), date(2026, 12, 1), True),
        (date(2026, 11, 1), date(2026, 10, 31), False),
        (date(2026, 11, 1), "now", True),
        (date(2026, 11, 1), "all", False),
        ("now", "now", True),
        ("now", date(2026, 11, 1), False),
        ("all", date(2026, 10, 1), True),
        ("all", "all", True),
    ],
)
def test_a_start_from_that_takes_in_more_than_was_agreed_to_needs_a_new_consent(
    bench: Any, remote: CrmSink, agreed: StartFrom, configured: StartFrom, covered: bool
) -> None:
    remote.start_from = agreed
    bench.sync()
    agree(bench, remote)
    remote.start_from = configured
    report = bench.sync().sinks["crm"]
    assert report.state == ("current" if covered else "parked")
    if not covered:
        assert "start_from now takes in more" in report.reason
        agree(bench, remote)
        assert bench.sync().sinks["crm"].state == "current"


@pytest.mark.parametrize(
    ("start_from", "moment"),
    [
        ("all", None),
        ("now", NOW),
        (date(2026, 12, 1), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, 8), datetime(2026, 12, 1, 8, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC)),
    ],
)
def test_where_a_sink_begins(start_from: StartFrom, moment: datetime | None) -> None:
    assert starting_from(start_from, NOW) == moment


def test_appointments_from_before_the_beginning_are_counted_as_skipped(
    bench: Any, remote: CrmSink, crm: Crm, make_appointment: Make
) -> None:
    old = [
        make_appointment(n, appointment_time="2026-10-01T09:00:00+02:00") for n in range(100, 107)
    ]
    bench.api.put("appointments", *old, make_appointment(1, contact_email="a@example.com"))
    remote.start_from = date(2026, 11, 1)
    bench.sync()
    agree(bench, remote)
    report = bench.sync()
    assert (report.sinks["crm"].applied, report.sinks["crm"].lag_changes) == (1, 0)
    assert report.sinks["crm"].skipped == 7 + 2  # the organization and a location as well
    assert sum(event.skipped for event in bench.of(BatchDelivered)) == 9
    assert crm.appointments.keys() == {"a-a_00001"}


# -- the pace and the mapping ----------------------------------------------------------------


def test_batches_are_as_small_as_the_sink_wants_them(delivery: Delivery, active: CrmSink) -> None:
    assert run_out(delivery) is Progress.IDLE
    assert active.batches == [1, 5, 5, 2]


def test_a_changed_mapping_delivers_everything_anew(bench: Any, active: CrmSink, crm: Crm) -> None:
    bench.sync()
    crm.writes.clear()
    bench.sinks["crm"] = CrmSink(crm, mapping="v2")
    assert bench.sync().sinks["crm"].unchanged == 12
    assert crm.writes == []
    assert bench.sync().sinks["crm"].unchanged == 0


def test_the_same_sync_twice_writes_nothing_the_second_time(
    bench: Any, active: CrmSink, crm: Crm
) -> None:
    bench.sync()
    crm.writes.clear()
    active.batches.clear()
    bench.sync()
    assert (crm.writes, active.batches) == ([], [])


# -- the brake -------------------------------------------------------------------------------


@pytest.fixture
def flooded(bench: Any, active: CrmSink, make_appointment: Make) -> CrmSink:
    """A sink that has everything, and a night that brings more than it may create."""
    bench.sync()
    active.most = 10
    bench.api.put("appointments", *(make_appointment(n) for n in range(1_000, 1_040)))
    bench.sync()
    return active


def test_a_run_that_would_create_too_much_waits_for_a_person(bench: Any, flooded: CrmSink) -> None:
    parked = bench.store.deliveries.parked()["crm"]
    assert parked.kind == "held"
    assert parked.reason == "It would create more than 10."
    assert parked.hint == "If that is right: `zimun-sync resume crm`."
    assert len(bench.sink.keys()) == 52
    assert bench.sync().sinks["crm"].state == "parked"


def test_after_their_word_it_goes_on(bench: Any, flooded: CrmSink, crm: Crm) -> None:
    bench.store.activations.approve("crm")
    bench.store.deliveries.unpark("crm")
    assert bench.sync().sinks["crm"].state == "current"
    assert len(crm.appointments) == 52
    assert len(crm.writes) == len(set(crm.writes))


# -- rejections, replays, notices ------------------------------------------------------------


def test_a_retry_of_many_comes_in_batches_of_the_sinks_size(
    bench: Any, active: CrmSink, make_appointment: Make
) -> None:
    bad = [make_appointment(n, status="something else") for n in range(200, 209)]
    bench.api.put("appointments", *bad, *(make_appointment(n) for n in range(100, 140)))
    active.batch_rows = 50
    bench.sync()
    assert len(bench.store.quarantine.entries(sink="crm")) == 9
    for entry in bench.store.quarantine.entries(sink="crm"):
        bench.store.quarantine.mark(entry.id, "retry")
    active.batch_rows = 4
    active.batches.clear()
    bench.sync()
    assert active.batches == [4, 4, 1]
    assert len(bench.store.quarantine.entries(sink="crm")) == 9


def test_a_replay_compares_with_what_is_there(bench: Any, active: CrmSink, crm: Crm) -> None:
    bench.sync()
    crm.appointments["a-a_00003"]["status"] = "edited by hand"
    crm.writes.clear()
    bench.store.activations.doubt_sent("crm")
    bench.store.deliveries.rewind("crm")
    bench.sync()
    assert crm.writes == ["update appointment a-a_00003"]


def test_what_a_sink_notices_is_told_once(
    bench: Any, active: CrmSink, make_appointment: Make
) -> None:
    for changes in ({}, {"notes": "again", "updated_at": "2026-11-02T00:00:00Z"}):
        bench.api.put("appointments", make_appointment(1, contact_email=None, **changes))
        bench.sync()
    (told,) = bench.of(SinkNoticed)
    assert (told.sink, told.code, told.subject) == ("crm", "no-email", "main/a_00001")
    assert len(bench.store.notices.of("crm")) == 1


def test_what_is_remembered_is_bound_to_the_deliverys_lease(
    bench: Any, delivery: Delivery, active: CrmSink
) -> None:
    delivery.step(more=False)
    bench.store.leases.release(delivery.lease)
    bench.store.leases.acquire("sink:crm")
    with pytest.raises(LeaseLost):
        active.context.memory.claim("crm-2")


# -- previews --------------------------------------------------------------------------------


def previewed(bench: Any, sink: CrmSink, **options: bool) -> dict[bool, list[Difference]]:
    found: dict[bool, list[Difference]] = {True: [], False: []}
    with Preview(bench.store, "crm", sink) as preview:
        for each in preview.batches({"main": ["appointments"]}, **options):
            found[each.pending] += each.differences
    return found


def test_a_preview_tells_the_pending_from_what_was_changed_there(
    bench: Any, active: CrmSink, crm: Crm, make_appointment: Make
) -> None:
    bench.sync()
    bench.store.deliveries.park("crm", "paused", "A person paused it.", "Resume it.")
    email = "p0@example.com"
    bench.api.put("appointments", make_appointment(77, contact_email=email))
    bench.sync()
    crm.appointments["a-a_00003"]["status"] = "edited by hand"
    crm.writes.clear()
    for everything in False, True:
        found = previewed(bench, CrmSink(crm), everything=everything)
        pending = [(each.key, each.action) for each in found[True]]
        assert set(pending) >= {("a_00077", "create")}
        edited = [(each.key, each.action, each.fields) for each in found[False]]
        change = (("status", "edited by hand", "confirmed"),)
        assert edited == ([("a_00003", "update", change)] if everything else [])
    assert crm.writes == []


def test_a_preview_offers_what_someone_marked_for_a_retry(
    bench: Any, active: CrmSink, crm: Crm, make_appointment: Make
) -> None:
    bench.api.put("appointments", make_appointment(200, status="something else"))
    bench.sync()
    assert previewed(bench, CrmSink(crm))[True] == []
    (entry,) = bench.store.quarantine.entries(sink="crm")
    bench.store.quarantine.mark(entry.id, "retry")
    (difference,) = previewed(bench, CrmSink(crm))[True]
    assert (difference.key, difference.action) == ("a_00200", "reject")


@pytest.mark.parametrize("when", ["open", "preview", "close"])
def test_a_connector_that_fails_in_a_preview_is_told_as_its_bug(
    bench: Any, active: CrmSink, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("zoe@example.com")

    monkeypatch.setattr(active, when, fail)
    with pytest.raises(SinkBroken, match="Its connector failed: RuntimeError at") as caught:
        previewed(bench, active)
    assert "zoe" not in caught.value.message


def test_a_remote_system_that_is_away_cannot_be_previewed(
    bench: Any, active: CrmSink, crm: Crm
) -> None:
    crm.down = True
    with pytest.raises(SinkUnavailable):
        previewed(bench, active)


def test_a_rehearsal_reads_through_and_keeps_what_is_written_to_itself(bench: Any) -> None:
    lease = bench.store.leases.acquire("sink:crm")
    real = bench.store.memory("crm", lease)
    real.claim("crm-1")
    real.save("contact", [Known("email:a", IdState.LINKED, "c-1")], {"email:a": "email:a"})
    real.calls(NOW.date(), 3)
    consent = Activation(NOW, None)
    memory = sink_context(bench.store, "crm", assuming=consent).memory
    assert (memory.account(), memory.activation()) == ("crm-1", consent)
    memory.save("contact", [Known("email:b", IdState.LINKED, "c-2")], {"email:b": "email:b"})
    memory.notice("odd", "b", "Odd.")
    assert memory.spend("run-1", 10_000, 1)
    assert memory.known("contact", ["email:a", "email:b"]).keys() == {"email:a", "email:b"}
    assert memory.remote("contact", ["c-1", "c-2"]) == {"c-1": "email:a", "c-2": "email:b"}
    assert memory.aliases(["email:a", "email:b", "email:c"]).keys() == {"email:a", "email:b"}
    assert (memory.calls(NOW.date(), 2), memory.calls(NOW.date())) == (5, 5)
    assert real.known("contact", ["email:b"]) == {}
    assert real.aliases(["email:b"]) == {}
    assert real.calls(NOW.date()) == 3
    assert bench.store.notices.of("crm") == []


def test_a_sink_may_look_up_what_no_batch_brings(bench: Any, active: CrmSink) -> None:
    seen: list[SinkContext] = []
    opening = active.open

    def watched(context: SinkContext, /) -> None:
        seen.append(context)
        opening(context)

    active.open = watched  # type: ignore[method-assign]
    bench.sync()
    found = seen[0].lookup.rows("main", "locations", ["l_1", "l_2"])
    assert {key: row["timezone"] for key, row in found.items()} == {"l_1": "Europe/Berlin"}


def test_a_batch_that_is_skipped_by_halves_still_adds_up(bench: Any, active: CrmSink) -> None:
    writing = active.write
    active.batch_rows = 100

    def fragile(batch: Batch, /) -> Any:
        if len(batch) > 3:
            raise RuntimeError
        return writing(batch)

    active.write = fragile  # type: ignore[method-assign]
    at = Surroundings(bench.store, bench.events.append, bench.options.stop)
    delivery = delivery_of("crm", active, bench.store.leases.acquire("sink:crm"), STREAMS, at)
    for _ in range(20):
        if delivery.step(more=False) is Progress.IDLE:
            break
    assert delivery.totals.applied == 12
    assert delivery.totals.rejected == 0
