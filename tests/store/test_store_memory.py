"""What a sink remembers of its remote system stays, is its own, and is fenced by its lease."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from msgspec import structs

from tests.store.conftest import State, Ticking, rows
from zimun_sync.errors import LeaseLost
from zimun_sync.ids import DOUBTED, IdState, Known, Memory
from zimun_sync.store import LEASE_SECONDS, Lease, Notice, Store
from zimun_sync.store.schema import metadata

CONTACT, APPOINTMENT = "contact", "appointment"
BOOKED = Known(
    "main/a1",
    IdState.LINKED,
    remote_id="501",
    version='W/"7"',
    sent={"title": "1f", "start": "2e"},
    token="t-1",
    contact="email:dana@example.org",
    linked_to="77",
    person=("3d", "", "4c"),
)
DANA = Known("email:dana@example.org", IdState.LINKED, "77")
TODAY = date(2026, 11, 20)
MANY = 5_001


@pytest.fixture
def lease(store: Store) -> Lease:
    return store.leases.acquire("sink:crm")


@pytest.fixture
def memory(store: Store, lease: Lease) -> Memory:
    return store.memory("crm", lease)


# -- ids ----------------------------------------------------------------------------------


def test_a_new_sink_remembers_nothing(memory: Memory) -> None:
    assert memory.account() is None
    assert memory.activation() is None
    assert memory.known(CONTACT, ["main/a1"]) == {}
    assert memory.remote(CONTACT, ["501"]) == {}
    assert memory.aliases(["email:dana@example.org"]) == {}
    assert memory.calls(TODAY) == 0


def test_everything_of_an_object_is_remembered_across_restarts(
    state: State, memory: Memory
) -> None:
    intent = Known("main/a2", IdState.INTENDED, token="t-2")
    memory.save(APPOINTMENT, [BOOKED, intent])
    again = state.open().memory("crm")
    assert again.known(APPOINTMENT, ["main/a1", "main/a2", "main/a3"]) == {
        "main/a1": BOOKED,
        "main/a2": intent,
    }


@pytest.mark.parametrize("state_of", list(IdState))
def test_every_state_of_an_object_is_kept(memory: Memory, state_of: IdState) -> None:
    memory.save(APPOINTMENT, [replace(BOOKED, state=state_of)])
    assert memory.known(APPOINTMENT, [BOOKED.key])[BOOKED.key].state is state_of


def test_saving_replaces_what_was_known_and_leaves_the_rest(memory: Memory) -> None:
    memory.save(APPOINTMENT, [BOOKED, replace(BOOKED, key="main/a2", remote_id="502")])
    bare = Known("main/a1", IdState.DELETED)
    memory.save(APPOINTMENT, [bare])
    known = memory.known(APPOINTMENT, ["main/a1", "main/a2"])
    assert known["main/a1"] == bare
    assert known["main/a2"].remote_id == "502"


def test_the_last_of_two_entries_with_one_key_stands(memory: Memory) -> None:
    memory.save(APPOINTMENT, [replace(BOOKED, remote_id="1"), BOOKED])
    assert memory.known(APPOINTMENT, [BOOKED.key]) == {BOOKED.key: BOOKED}


def test_kinds_do_not_mix(memory: Memory) -> None:
    memory.save(CONTACT, [replace(DANA, key="same", remote_id="1")])
    memory.save(APPOINTMENT, [replace(BOOKED, key="same", remote_id="1")])
    assert memory.known(CONTACT, ["same"])["same"].contact is None
    assert memory.known(APPOINTMENT, ["same"])["same"].contact == DANA.key
    assert memory.remote(CONTACT, ["1"]) == {"1": "same"}


def test_sinks_do_not_mix(store: Store, memory: Memory) -> None:
    other = store.memory("pos", store.leases.acquire("sink:pos"))
    memory.claim("portal-1")
    memory.save(APPOINTMENT, [BOOKED], {"email:dana@example.org": DANA.key})
    memory.calls(TODAY, 5)
    assert other.account() is None
    assert other.known(APPOINTMENT, [BOOKED.key]) == {}
    assert other.remote(APPOINTMENT, ["501"]) == {}
    assert other.aliases(["email:dana@example.org"]) == {}
    assert other.calls(TODAY) == 0


def test_our_key_is_found_by_remote_id(memory: Memory) -> None:
    memory.save(APPOINTMENT, [BOOKED, Known("main/a2", IdState.INTENDED)])
    assert memory.remote(APPOINTMENT, ["501", "502", ""]) == {"501": "main/a1"}


def test_of_several_contacts_that_are_one_there_a_linked_one_is_found(memory: Memory) -> None:
    merged = [
        Known("email:a@example.org", IdState.DELETED, "77"),
        Known("email:c@example.org", IdState.LINKED, "77"),
        Known("email:d@example.org", IdState.LINKED, "77"),
        Known("email:z@example.org", IdState.ABSENT, "77"),
    ]
    for order in (merged, merged[::-1]):
        memory.save(CONTACT, order)
        assert memory.remote(CONTACT, ["77"]) == {"77": "email:c@example.org"}


def test_person_keys_lead_to_their_contact(memory: Memory) -> None:
    persons = {"email:dana@example.org": DANA.key, "phone:+972501234567": DANA.key}
    memory.save(CONTACT, [DANA], persons)
    assert memory.aliases([*persons, "email:else@example.org"]) == persons
    memory.save(CONTACT, [], {"phone:+972501234567": "email:noa@example.org"})
    assert memory.aliases(["phone:+972501234567"]) == {
        "phone:+972501234567": "email:noa@example.org"
    }


def test_more_objects_than_one_statement_takes(memory: Memory) -> None:
    entries = [Known(f"main/{number}", IdState.LINKED, str(number)) for number in range(MANY)]
    persons = {f"email:{number}@example.org": f"main/{number}" for number in range(MANY)}
    memory.save(APPOINTMENT, entries, persons)
    memory.save(APPOINTMENT, entries, persons)
    keys = [entry.key for entry in entries]
    assert memory.known(APPOINTMENT, keys) == {entry.key: entry for entry in entries}
    assert len(memory.remote(APPOINTMENT, [str(number) for number in range(MANY)])) == MANY
    assert memory.aliases(list(persons)) == persons


def test_a_key_that_no_database_holds_is_not_known(memory: Memory) -> None:
    memory.save(CONTACT, [DANA], {DANA.key: DANA.key})
    assert memory.known(CONTACT, [DANA.key, "email:zero\0@example.org"]) == {DANA.key: DANA}
    assert memory.aliases([DANA.key, "email:zero\0@example.org"]) == {DANA.key: DANA.key}


def test_an_account_is_remembered_and_may_be_claimed_anew(state: State, memory: Memory) -> None:
    memory.claim("portal-1")
    memory.save(APPOINTMENT, [BOOKED])
    memory.claim("portal-2")
    assert state.open().memory("crm").account() == "portal-2"
    assert memory.known(APPOINTMENT, [BOOKED.key])


def test_what_is_remembered_is_counted_by_kind_and_state(store: Store, memory: Memory) -> None:
    memory.save(CONTACT, [DANA])
    memory.save(APPOINTMENT, [BOOKED, replace(BOOKED, key="main/a2")])
    memory.save(APPOINTMENT, [Known("main/a3", IdState.INTENDED)])
    assert store.overview.remembered("crm") == {
        CONTACT: {"linked": 1},
        APPOINTMENT: {"linked": 2, "intended": 1},
    }
    assert store.overview.remembered("pos") == {}


# -- calls and notices --------------------------------------------------------------------


def test_calls_add_up_by_day(state: State, memory: Memory) -> None:
    assert memory.calls(TODAY, 3) == 3
    assert memory.calls(TODAY + timedelta(days=1), 1) == 1
    assert memory.calls(TODAY, 2) == 5  # a clock that was set back, or a call over midnight
    assert state.open().memory("crm").calls(TODAY) == 5


def test_a_notice_is_kept_once_and_told_once(
    state: State, store: Store, memory: Memory, clock: Ticking
) -> None:
    memory.notice("unmapped-owner", "st_1", "Nobody there has dana@example.org.")
    [told] = store.notices.untold("crm")
    clock.forward(60)
    memory.notice("unmapped-owner", "st_1", "Nobody there has noa@example.org.")
    assert store.notices.untold("crm") == []
    [kept] = state.open().notices.of("crm")
    expected = structs.replace(told, message="Nobody there has noa@example.org.", count=2)
    assert kept == structs.replace(expected, last_at=kept.last_at)
    assert kept.last_at - kept.first_at > 60_000_000


def test_notices_are_listed_in_their_order_by_code_and_subject(
    store: Store, memory: Memory
) -> None:
    for code, subject in (("unmapped-owner", "st_2"), ("deleted", "a1"), ("deleted", "a2")):
        memory.notice(code, subject, "Look.")
    memory.notice("unmapped-owner", "st_2", "Look.")
    expected = [("unmapped-owner", "st_2"), ("deleted", "a1"), ("deleted", "a2")]
    assert subjects(store.notices.of("crm")) == expected
    assert subjects(store.notices.untold("crm")) == expected
    assert store.notices.of("pos") == store.notices.untold("pos") == []


def test_a_removed_notice_is_told_again_when_it_comes_again(store: Store, memory: Memory) -> None:
    for subject in ("st_1", "st_2", "st_3"):
        memory.notice("unmapped-owner", subject, "Look.")
    memory.notice("deleted", "st_1", "Look.")
    store.notices.untold("crm")
    assert store.notices.remove("crm", "unmapped-owner", "st_1") == 1
    memory.notice("unmapped-owner", "st_1", "Look.")
    assert subjects(store.notices.untold("crm")) == [("unmapped-owner", "st_1")]
    assert store.notices.remove("crm", "unmapped-owner") == 3
    assert store.notices.remove("pos") == 0
    assert store.notices.remove("crm") == 1


def test_a_notice_of_what_no_database_stores_is_kept_once(store: Store, memory: Memory) -> None:
    for _ in range(2):
        memory.notice("odd", "zero \0", "half \ud800")
    [notice] = store.notices.of("crm")
    assert (notice.subject, notice.message, notice.count) == (
        "zero \N{REPLACEMENT CHARACTER}",
        "half ?",
        2,
    )


def subjects(notices: list[Notice]) -> list[tuple[str, str]]:
    return [(notice.code, notice.subject) for notice in notices]


# -- who may write ------------------------------------------------------------------------

WRITES: dict[str, Callable[[Memory], object]] = {
    "claim": lambda memory: memory.claim("portal-9"),
    "save": lambda memory: memory.save(APPOINTMENT, [BOOKED], {DANA.key: DANA.key}),
    "spend": lambda memory: memory.spend("night", 1, 10),
    "held": lambda memory: memory.spend("night", 11, 10),
    "give back": lambda memory: memory.spend("night", -1, 10),
    "calls": lambda memory: memory.calls(TODAY, 1),
    "notice": lambda memory: memory.notice("unmapped-owner", "st_1", "Look."),
}


def everything(store: Store) -> dict[str, object]:
    """Every table but the leases."""
    return {name: rows(store, table) for name, table in metadata.tables.items() if name != "leases"}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_zombie_remembers_nothing(
    state: State, store: Store, memory: Memory, write: Callable[[Memory], object]
) -> None:
    state.clock.forward(LEASE_SECONDS + 1)
    state.open().leases.acquire("sink:crm")
    before = everything(store)
    with pytest.raises(LeaseLost, match="sink:crm"):
        write(memory)
    assert everything(store) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_without_a_lease_a_memory_only_reads(
    store: Store, memory: Memory, write: Callable[[Memory], object]
) -> None:
    memory.save(CONTACT, [DANA])
    reading = store.memory("crm")
    before = everything(store)
    with pytest.raises(RuntimeError, match="without its lease"):
        write(reading)
    assert everything(store) == before
    assert reading.known(CONTACT, [DANA.key]) == {DANA.key: DANA}
    assert reading.calls(TODAY) == 0


# -- consent and forgetting ---------------------------------------------------------------


@pytest.mark.parametrize(
    "starts_from", [None, datetime(2026, 11, 20, 2, tzinfo=timezone(timedelta(hours=2)))]
)
def test_a_consent_stands_until_it_is_taken_back(
    state: State, store: Store, memory: Memory, starts_from: datetime | None
) -> None:
    at = state.clock.now
    store.activations.activate("crm", starts_from, 500)
    given = state.open().memory("crm").activation()
    assert given is not None
    assert given.starts_from == starts_from
    assert given.at.tzinfo is UTC
    assert at < given.at <= state.clock.now
    assert store.activations.of("crm") == given
    assert store.activations.of("pos") is None
    assert store.activations.deactivate("crm")
    assert memory.activation() is None
    assert not store.activations.deactivate("crm")


def test_a_new_consent_takes_the_place_of_the_former(store: Store, clock: Ticking) -> None:
    store.activations.activate("crm", datetime(2026, 1, 1, tzinfo=UTC), 500)
    first = store.activations.of("crm")
    clock.forward(60)
    store.activations.activate("crm", None, 0)
    second = store.activations.of("crm")
    assert first is not None
    assert second is not None
    assert second.at > first.at
    assert second.starts_from is None


def test_consent_and_account_do_not_undo_each_other(store: Store, memory: Memory) -> None:
    store.activations.activate("crm", None, 5)
    memory.claim("portal-1")
    assert memory.activation() is not None
    store.activations.activate("crm", None, 5)
    assert memory.account() == "portal-1"


def test_consent_binds_a_new_sink_to_the_account_that_was_looked_at(
    store: Store, memory: Memory
) -> None:
    store.activations.activate("crm", None, 0, account="portal-1")
    assert memory.account() == "portal-1"
    store.activations.activate("crm", None, 0, account="portal-2")
    assert memory.account() == "portal-1"


def test_what_was_sent_is_not_trusted_after_a_replay(store: Store, memory: Memory) -> None:
    pos = store.memory("pos", store.leases.acquire("sink:pos"))
    for each in (memory, pos):
        each.save(APPOINTMENT, [BOOKED])
        each.save(CONTACT, [replace(DANA, sent={"phone": "9a"})])
    store.activations.doubt_sent("crm")
    store.activations.doubt_sent("files")
    doubted = replace(BOOKED, sent={**BOOKED.sent, DOUBTED: "replay"})
    assert memory.known(APPOINTMENT, [BOOKED.key]) == {BOOKED.key: doubted}
    assert DOUBTED in memory.known(CONTACT, [DANA.key])[DANA.key].sent
    assert pos.known(APPOINTMENT, [BOOKED.key]) == {BOOKED.key: BOOKED}
    memory.save(APPOINTMENT, [BOOKED])
    assert memory.known(APPOINTMENT, [BOOKED.key]) == {BOOKED.key: BOOKED}


def test_nothing_is_left_of_a_forgotten_sink(store: Store, memory: Memory, clock: Ticking) -> None:
    pos = store.memory("pos", store.leases.acquire("sink:pos"))
    clean = everything(store)
    fill(store, memory, "crm")
    store.activations.forget("crm")
    assert everything(store) == clean
    fill(store, pos, "pos")
    kept = everything(store)
    fill(store, memory, "crm")
    store.activations.forget("crm")
    assert everything(store) == kept


def fill(store: Store, memory: Memory, sink: str) -> None:
    """Have every table of it hold something."""
    store.activations.activate(sink, None, 5)
    memory.claim("portal-1")
    memory.save(APPOINTMENT, [BOOKED], {DANA.key: DANA.key})
    assert memory.spend("night", 6, 10)
    memory.calls(TODAY, 1)
    memory.notice("deleted", "a1", "Look.")
