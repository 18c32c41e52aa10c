"""Corners of the engine in which something was once lost, doubled, guessed or overwritten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import zimun_sync.remotes.sink as sink_module
from zimun_sync.errors import StoreError
from zimun_sync.events import ConnectorFailed
from zimun_sync.ids import Memory
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind, Linking
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.pocket import (
    Fault,
    PocketCrm,
    PocketDesk,
    PocketObject,
    PocketRefusal,
    PocketRules,
)
from zimun_sync.testing.remotes.pocket.harness import PocketHarness
from zimun_sync.testing.remotes.pocket.storage import Storage
from zimun_sync.testing.remotes.rig import RemoteRig, at

HUB = PocketRules()
FIELD = PocketRules(linking=Linking.FIELD)
BARE = PocketRules(keeps_keys=False, knows_tokens=False)  # people can be searched for
LAGS = PocketRules(keeps_keys=False, knows_tokens=False, search_lags=True)  # not even that
PHONE = "+436601234567"
EVA = {"contact_name": "Eva", "contact_email": "eva@x.com", "contact_phone": "+436602222222"}
FAY = {"contact_name": "Fay", "contact_email": "fay@x.com", "contact_phone": "+436603333333"}


def person(number: int) -> dict[str, str]:
    """As a booking of that number has it by itself."""
    return {
        "contact_name": f"Person {number}",
        "contact_email": f"person{number}@example.com",
        "contact_phone": f"+43660{1_000_000 + number}",
    }


def _as_it_is(memory: Memory) -> Memory:
    return memory


class Bench:
    """A little CRM, and states that write to it."""

    def __init__(self, folder: Path, rules: PocketRules) -> None:
        self.folder = folder
        self.harness = PocketHarness(folder / "pocket.sqlite", rules, frozenset())
        self.crm = PocketCrm(folder / "pocket.sqlite", rules)
        self.desk = PocketDesk(self.crm)
        self.rigs: list[RemoteRig] = []

    def rig(self, wrap: Callable[[Memory], Memory] = _as_it_is, **settings: Any) -> RemoteRig:
        """A new state, with the sink activated."""
        folder = self.folder / str(len(self.rigs))
        folder.mkdir()
        rig = RemoteRig(folder, self.harness, wrap)
        self.rigs.append(rig)
        rig.start(**settings)
        return rig

    def close(self) -> None:
        """Let go of everything."""
        for rig in self.rigs:
            rig.__exit__(None, None, None)
        self.crm.close()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The rules come from the `rules` mark of a test."""
    bench = Bench(tmp_path, getattr(request, "param", HUB))
    yield bench
    bench.close()


def on(*rules: PocketRules) -> pytest.MarkDecorator:
    """Run a test on these kinds of systems."""
    return pytest.mark.parametrize("bench", rules, indirect=True)


# -- creates --------------------------------------------------------------------------------


def test_what_a_lost_state_wrote_is_compared_with_what_is_wanted_now(bench: Bench) -> None:
    first = bench.rig()
    first.book(1)
    first.sync()
    first.restart()
    again = bench.rig()
    again.book(1, appointment_time="2031-05-05T15:00:00+02:00", status="no_show")
    assert again.sync() is Progress.IDLE
    seen = again.appointment(1)
    assert (seen.starts_at, seen.status) == (at("2031-05-05T15:00:00+02:00"), "no_show")


def test_a_lost_state_announces_no_create_and_overwrites_nobodys_words(bench: Bench) -> None:
    first = bench.rig()
    first.book(1)
    first.sync()
    first.system.edit(Kind.APPOINTMENT, first.appointment(1).id, title="Edited")
    first.restart()
    again = bench.rig()
    again.book(1, appointment_time="2031-05-05T15:00:00+02:00")
    again.pull()
    assert {each.action for each in again.preview()} <= {"update", "link"}
    again.deliver()
    assert len(bench.desk.appointments()) == 1
    assert again.appointment(1).title == "Edited"


@on(LAGS)
def test_a_retry_that_is_cut_off_doubles_nothing(bench: Bench) -> None:
    rig = bench.rig()
    rig.system.refuse("BAD")
    rig.book(1, notes="BAD")
    rig.sync()
    bench.desk.refuse("")
    rig.retry()
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "insert appointment")
    rig.deliver()
    rig.deliver()
    assert len(bench.desk.appointments()) == 1
    assert rig.quarantine()[booking_id(1)].code == "maybe-created"


@on(BARE)
def test_a_contact_with_a_phone_alone_that_was_cut_off_is_found_again(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1, contact_email=None)
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "insert contact")
    rig.sync()
    rig.deliver()
    assert len(bench.desk.contacts()) == 1


@on(BARE)
def test_a_contact_that_was_cut_off_and_typed_in_is_not_made_a_third_time(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "insert contact")
    rig.sync()
    rig.system.add_contact(name="typed in", email="person1@example.com")
    rig.deliver()
    assert len(bench.desk.contacts()) == 2
    assert rig.quarantine()[booking_id(1)].code in {"ambiguous-contact", "maybe-created"}


# -- people ---------------------------------------------------------------------------------


@pytest.mark.parametrize("remembered", [True, False])
def test_two_people_with_one_phone_in_one_batch_are_two_contacts(
    bench: Bench, remembered: bool
) -> None:
    rig = bench.rig()
    if remembered:
        rig.book(1, contact_name="Mum", contact_email=None, contact_phone=PHONE)
        rig.sync()
    else:
        rig.system.add_contact(name="Mum", phone=PHONE)
    rig.book(2, contact_name="Ann", contact_email="a@x.com", contact_phone=PHONE)
    rig.book(3, contact_name="Bob", contact_email="b@x.com", contact_phone=PHONE)
    rig.sync()
    assert rig.contact(2).id != rig.contact(3).id
    assert (rig.contact(2).email, rig.contact(3).email) == ("a@x.com", "b@x.com")


def test_an_address_that_was_corrected_away_is_its_owners(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1, contact_name="Anna", contact_email="ben@x.com")
    rig.sync()
    rig.book(1, contact_email="anna@x.com")
    rig.sync()
    rig.book(2, contact_name="Ben", contact_email="ben@x.com")
    rig.sync()
    assert rig.contact(1).id != rig.contact(2).id
    assert (rig.contact(1).email, rig.contact(2).email) == ("anna@x.com", "ben@x.com")


def test_a_contact_deleted_there_stays_so_also_after_a_correction(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    rig.book(1, contact_email="new@x.com")
    rig.sync()
    rig.system.delete(Kind.CONTACT, rig.contact(1).id)
    rig.book(2, **{**person(1), "contact_email": "new@x.com"})
    rig.sync()
    assert not bench.desk.contacts()
    assert rig.notices("deleted-there")


def test_a_correction_beside_another_booking_of_the_person_is_written(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.book(2, **person(1))
    rig.sync()
    rig.book(1, contact_phone="+436609999999")
    rig.book(2, appointment_duration=30)
    rig.sync()
    assert rig.contact(1).phone == "+436609999999"


def test_a_shared_phone_is_clear_again_once_the_two_are_merged(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1, contact_phone=PHONE)
    rig.book(2, contact_phone=PHONE)
    rig.sync()
    rig.book(3, contact_phone=PHONE, contact_email=None)
    rig.sync()
    assert rig.quarantine()[booking_id(3)].code == "ambiguous-contact"
    rig.system.merge(rig.contact(1).id, rig.contact(2).id)
    rig.retry()
    rig.deliver()
    assert not rig.quarantine()


# -- ties -----------------------------------------------------------------------------------


@on(FIELD)
def test_a_replay_after_a_create_that_was_cut_off_rewrites_no_tie(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "insert appointment")
    rig.sync()
    rig.deliver()
    another = rig.system.add_contact(name="Moved here by hand")
    bench.crm.storage.untie(rig.appointment(1).id)
    bench.crm.storage.tie(rig.appointment(1).id, [another])
    writes = bench.desk.writes()
    rig.replay()
    rig.deliver()
    assert bench.desk.writes() == writes
    assert rig.contact(1).id == another


@on(FIELD, replace(FIELD, cancels_by_call=True))
@pytest.mark.parametrize("at_once", [False, True])
def test_a_cancellation_after_a_create_that_was_cut_off_keeps_the_contact(
    bench: Bench, at_once: bool
) -> None:
    rig = bench.rig()
    rig.book(1)
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "insert appointment")
    rig.sync()
    if not at_once:
        rig.deliver()
    rig.book(1, status="cancelled")
    rig.sync()
    seen = rig.appointment(1)
    assert seen.status == "cancelled"
    assert seen.contact_id is not None


def test_a_refused_untie_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_crm: PocketCrm, _pair: Any) -> PocketObject:
        raise PocketRefusal("locked", "The record is locked.")

    rig = bench.rig()
    rig.book(1)
    rig.sync()
    with monkeypatch.context() as patch:
        patch.setattr(PocketCrm, "_untie", locked)
        rig.book(1, **EVA)
        rig.sync()
    assert rig.quarantine()
    rig.retry()
    rig.deliver()
    assert not rig.quarantine()
    assert len(bench.desk.appointments()[0].contact_ids or ()) == 1


def test_ids_may_have_spaces(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Storage.add

    def add(storage: Storage, kind: str, draft: PocketObject) -> PocketObject:
        made = plain(storage, kind, draft)
        spaced = f"{made.id} x"
        storage.db.execute("UPDATE objects SET id = ? WHERE id = ?", (spaced, made.id))
        return replace(made, id=spaced)

    monkeypatch.setattr(Storage, "add", add)
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    bench.desk.fail(Fault.COMMIT_THEN_FAIL, "tie")
    rig.book(1, **EVA)
    rig.sync()
    rig.book(1, **FAY)
    rig.sync()
    rig.deliver()
    assert len(bench.desk.appointments()[0].contact_ids or ()) == 1


# -- settings and commands ------------------------------------------------------------------


def test_a_beginning_that_is_narrowed_to_now_sends_no_history(bench: Bench) -> None:
    rig = bench.rig(start_from="all")
    rig.book(1, appointment_time="2020-01-01T10:00:00+01:00")
    rig.configure(start_from="now")
    rig.sync()
    assert not bench.desk.appointments()


def test_a_replay_does_not_take_our_own_words_for_a_persons(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    title = "{{ service.name }} with {{ staff.name }}"
    rig.configure(appointment={"fields": {"title": title}})
    rig.replay()
    rig.deliver()
    assert rig.appointment(1).title == "Cut with Ana"


def test_a_replay_puts_right_what_we_always_write(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    booked, visit = rig.appointment(1).starts_at, rig.appointment(1).id
    rig.system.edit(Kind.APPOINTMENT, visit, starts_at=at("2031-03-02T06:00:00+00:00"))
    rig.system.edit(Kind.APPOINTMENT, visit, title="Edited")
    rig.deliver()
    assert rig.appointment(1).starts_at != booked
    rig.replay()
    rig.deliver()
    assert (rig.appointment(1).starts_at, rig.appointment(1).title) == (booked, "Edited")


@on(replace(HUB, cancels_by_call=True))
def test_create_only_never_changes_anything(bench: Bench) -> None:
    rig = bench.rig(appointment={"write": "create_only"})
    rig.book(1)
    rig.sync()
    rig.book(1, status="cancelled")
    rig.sync()
    assert rig.appointment(1).status == "booked"


def test_what_was_deleted_there_before_it_was_archived_stays_deleted(bench: Bench) -> None:
    rig = bench.rig(statuses={"cancelled": "archive"})
    rig.book(1)
    rig.sync()
    rig.system.delete(Kind.APPOINTMENT, rig.appointment(1).id)
    rig.book(1, status="cancelled")
    rig.sync()
    rig.book(1, status="confirmed")
    rig.sync()
    assert not bench.desk.appointments()


def test_a_user_who_is_added_there_later_becomes_the_owner(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    ana = rig.system.add_user("ana@salon.example.com")
    rig.book(1, appointment_duration=30)
    rig.sync()
    assert rig.appointment(1).owner == ana


# -- previews -------------------------------------------------------------------------------


@on(PocketRules(batch=1))
def test_a_preview_counts_people_over_batches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "BATCH_ROWS", 1)
    rig = bench.rig()
    for number in (1, 2, 3):
        rig.book(number, contact_phone=PHONE)
    rig.pull()
    shown = [each for each in rig.preview() if (each.kind, each.action) == ("contact", "create")]
    rig.deliver()
    assert len(shown) == len(bench.desk.contacts())


def test_a_preview_of_what_is_pending_shows_only_what_is_written(bench: Bench) -> None:
    rig = bench.rig()
    rig.book(1)
    rig.sync()
    moved = at("2031-03-02T06:00:00+00:00")
    rig.system.edit(Kind.APPOINTMENT, rig.appointment(1).id, starts_at=moved)
    rig.book(1, notes="hello")
    rig.pull()
    [shown] = rig.preview()
    rig.deliver()
    assert {each.name for each in shown.fields} == {"notes"}
    assert rig.appointment(1).starts_at == moved


# -- the state ------------------------------------------------------------------------------


class Locked:
    """A memory that cannot be written for a while."""

    def __init__(self, memory: Memory, left: list[int]) -> None:
        self._memory = memory
        self._left = left

    def __getattr__(self, name: str) -> Any:
        if name == "save" and self._left:
            self._left.pop()
            raise StoreError("The state is locked.")
        return getattr(self._memory, name)


def test_trouble_with_the_state_is_no_bug_of_the_connector(bench: Bench) -> None:
    left = [0] * 8
    rig = bench.rig(wrap=lambda memory: Locked(memory, left))
    for number in range(1, 6):
        rig.book(number)
    rig.pull()
    for _ in range(8):
        with pytest.raises(StoreError):
            rig.delivery.step(more=False)
    assert rig.deliver() is Progress.IDLE
    assert not rig.quarantine()
    assert not [each for each in rig.events if isinstance(each, ConnectorFailed)]
