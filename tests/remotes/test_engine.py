"""What the engine of remote systems does beside the contract that connectors pass."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.budget import Budget
from zimun_sync.remotes.calling import halving
from zimun_sync.remotes.contract import BatchRefused, Done, Item, Linking, NotSent, Outcome, Refused
from zimun_sync.sinks import SinkUnavailable
from zimun_sync.testing import sink_context
from zimun_sync.testing.remotes.pocket import Fault, PocketCrm, PocketDesk, PocketRules
from zimun_sync.testing.remotes.pocket.harness import PocketHarness
from zimun_sync.testing.remotes.rig import RemoteRig, at

_NINE, _TEN = "2031-03-03T09:00:00+01:00", "2031-03-03T10:00:00+01:00"
_ONE = {
    "contact_name": "The First",
    "contact_email": "first@example.com",
    "contact_phone": "+436611234567",
}
_OTHER = {
    "contact_name": "Another One",
    "contact_email": "another@example.com",
    "contact_phone": "+436617654321",
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RemoteRig]:
    """A store, a delivery, and the little CRM."""
    harness = PocketHarness(tmp_path / "pocket.sqlite", PocketRules(), frozenset())
    with RemoteRig(tmp_path, harness) as rig:
        yield rig


def test_what_is_too_old_is_left_out_whatever_its_status(rig: RemoteRig) -> None:
    rig.start(start_from=date(2031, 1, 1))
    rig.book(1, appointment_time="2030-12-31T09:00:00+01:00", status="on_the_moon")
    rig.book(2, appointment_time="2031-01-01T09:00:00+01:00", status="on_the_moon")
    rig.sync()
    assert [entry.code for entry in rig.quarantine().values()] == ["unknown-status"]


def test_a_changed_mapping_goes_through_everything_again(rig: RemoteRig) -> None:
    rig.start()
    rig.book(1)
    rig.sync()
    rig.configure(appointment={"fields": {"title": {"value": "A visit", "write": "always"}}})
    assert rig.deliver() is Progress.IDLE
    assert rig.appointment(1).title == "A visit"


def test_a_field_that_cannot_be_filled_in_is_the_records_own_trouble(rig: RemoteRig) -> None:
    rig.start(appointment={"fields": {"notes": "{{ notes | date if notes else '' }}"}})
    rig.book(1, notes="Bring shoes")
    rig.book(2, notes=None)
    rig.sync()
    assert [entry.code for entry in rig.quarantine().values()] == ["mapping"]
    assert rig.appointment(2).status == "booked"


# -- calls that are cut off -----------------------------------------------------------------

_CUTS = [Fault.REFUSED_CONNECTION, Fault.UNAVAILABLE, Fault.COMMIT_THEN_FAIL]
_RULES = {
    "ties by calls": PocketRules(),
    "ties by fields": PocketRules(linking=Linking.FIELD, batch=1, cancels_by_call=True),
    "upserts by key": PocketRules(linking=Linking.FIELD, knows_tokens=False),
}


@pytest.fixture(params=_RULES)
def faulty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RemoteRig]:
    """The same on several kinds of systems."""
    harness = PocketHarness(tmp_path / "pocket.sqlite", _RULES[request.param], frozenset())
    with RemoteRig(tmp_path, harness) as rig:
        rig.start()
        yield rig


def _cut_off(rig: RemoteRig, fault: Fault, call: str) -> bool:
    """Sync while a call is cut off; false if this kind of system is not called so."""
    crm = PocketCrm(Path(rig.harness.address))
    desk = PocketDesk(crm)
    try:
        desk.fail(fault, call)
        is_cut = rig.sync() is Progress.WAITING
        desk.mend()
    finally:
        crm.close()
    return is_cut


def _is_as_booked(rig: RemoteRig, starts_at: str) -> None:
    assert rig.deliver() is Progress.IDLE
    assert not rig.quarantine()
    [contact] = rig.system.contacts()
    [appointment] = rig.system.appointments()
    assert appointment.contact_id == contact.id
    assert (appointment.status, appointment.starts_at) == ("booked", at(starts_at))


@pytest.mark.parametrize("fault", _CUTS)
@pytest.mark.parametrize("call", ["insert contact", "insert appointment", "tie"])
def test_a_first_write_that_was_cut_off_is_finished(
    faulty: RemoteRig, call: str, fault: Fault
) -> None:
    faulty.book(1, appointment_time=_NINE)
    cut = _cut_off(faulty, fault, call)
    assert cut or call == "tie"
    _is_as_booked(faulty, _NINE)


@pytest.mark.parametrize("fault", _CUTS)
@pytest.mark.parametrize("back", [True, False])
def test_a_move_that_was_cut_off_and_taken_back_leaves_the_first_time(
    faulty: RemoteRig, fault: Fault, back: bool
) -> None:
    faulty.book(1, appointment_time=_NINE)
    faulty.sync()
    faulty.book(1, appointment_time=_TEN)
    assert _cut_off(faulty, fault, "change appointment")
    if back:
        faulty.book(1, appointment_time=_NINE)
        faulty.pull()
    _is_as_booked(faulty, _NINE if back else _TEN)


@pytest.mark.parametrize("fault", _CUTS)
def test_a_cancellation_that_was_cut_off_and_taken_back_leaves_it_booked(
    faulty: RemoteRig, fault: Fault
) -> None:
    faulty.book(1, appointment_time=_NINE)
    faulty.sync()
    faulty.book(1, appointment_time=_NINE, status="cancelled")
    assert _cut_off(faulty, fault, "c[ah]*n* appointment")
    faulty.book(1, status="confirmed")
    faulty.pull()
    _is_as_booked(faulty, _NINE)


@pytest.mark.parametrize("fault", _CUTS)
def test_another_person_that_was_cut_off_and_taken_back_leaves_the_first_one(
    faulty: RemoteRig, fault: Fault
) -> None:
    faulty.book(1, **_ONE)
    faulty.sync()
    first = faulty.appointment(1).contact_id
    faulty.book(1, **_OTHER)
    cut = _cut_off(faulty, fault, "tie") or _cut_off(faulty, fault, "change appointment")
    assert cut or faulty.appointment(1).contact_id != first
    faulty.book(1, **_ONE)
    faulty.pull()
    assert faulty.deliver() is Progress.IDLE
    assert faulty.appointment(1).contact_id == first


# -- the day's calls ------------------------------------------------------------------------


class _Calls:
    """A memory that only counts calls."""

    def __init__(self) -> None:
        self.made: dict[date, int] = {}

    def calls(self, day: date, made: int = 0, /) -> int:
        self.made[day] = self.made.get(day, 0) + made
        return self.made[day]


class _Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def _budget(most: int, memory: Any, clock: _Clock) -> Budget:
    return Budget(replace(sink_context(), memory=memory, now=clock), most)


def test_the_days_calls_end_and_begin_again_at_midnight_utc() -> None:
    memory, clock = _Calls(), _Clock()
    budget = _budget(30, memory, clock)
    for _ in range(30):
        budget.called()
    with pytest.raises(NotSent, match="daily_calls: 30") as caught:
        budget.called()
    assert caught.value.retry_after == 60
    clock.now += timedelta(seconds=60)
    budget.called()
    budget.flush()
    assert memory.made == {date(2026, 11, 20): 30, date(2026, 11, 21): 1}


def test_calls_are_remembered_across_restarts() -> None:
    memory, clock = _Calls(), _Clock()
    first = _budget(5, memory, clock)
    for _ in range(4):
        first.called()
    first.flush()
    second = _budget(5, memory, clock)
    second.called()
    with pytest.raises(NotSent):
        second.called()


# -- batches that are refused as a whole ----------------------------------------------------


def _items(count: int) -> list[Item]:
    return [Item(str(number), {}) for number in range(count)]


def test_a_refused_batch_is_halved_until_the_bad_rows_stand_alone() -> None:
    bad, calls = {"3", "11"}, []

    def call(items: Any) -> list[Outcome]:
        calls.append(len(items))
        if bad & {item.key for item in items}:
            raise BatchRefused("bad-row", "One of them is bad.")
        return [Done(item.key, item.key) for item in items]

    outcomes = halving(call, _items(16))
    assert {key for key, each in outcomes.items() if isinstance(each, Refused)} == bad
    assert len(outcomes) == 16
    assert len(calls) < 16


def test_what_was_not_sent_after_a_first_half_was_written_is_in_doubt() -> None:
    def call(items: Any) -> list[Outcome]:
        if len(items) > 2:
            raise BatchRefused("bad-row", "One of them is bad.")
        if items[0].key == "2":
            raise NotSent("No connection.")
        return [Done(item.key, item.key) for item in items]

    with pytest.raises(SinkUnavailable) as caught:
        halving(call, _items(4))
    assert not isinstance(caught.value, NotSent)
