"""The brake on creates: never more than the limit and what a person agreed to."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import State, Ticking
from zimun_sync.ids import Memory
from zimun_sync.store import WEBHOOK, ParkKind, Store

LIMIT = 10
DAY = 86_400
_numbers = count()


@pytest.fixture
def memory(store: Store) -> Memory:
    return store.memory("crm", store.leases.acquire("sink:crm"))


def test_a_run_creates_up_to_its_limit(memory: Memory) -> None:
    assert memory.spend("night", 6, LIMIT)
    assert not memory.spend("night", 5, LIMIT)
    assert memory.spend("night", 4, LIMIT)  # nothing was counted of what was refused
    assert not memory.spend("night", 1, LIMIT)
    assert memory.spend("night", 0, LIMIT)


def test_each_run_and_each_sink_has_its_own_count(store: Store, memory: Memory) -> None:
    pos = store.memory("pos", store.leases.acquire("sink:pos"))
    assert memory.spend("monday", LIMIT, LIMIT)
    assert memory.spend("tuesday", LIMIT, LIMIT)
    assert pos.spend("monday", LIMIT, LIMIT)
    assert not memory.spend("monday", 1, LIMIT)


def test_a_count_outlives_the_process(state: State, store: Store, memory: Memory) -> None:
    lease = store.leases.acquire("sink:pos")
    store.memory("pos", lease).spend("night", LIMIT, LIMIT)
    assert not state.open().memory("pos", lease).spend("night", 1, LIMIT)


def test_what_activation_agreed_to_comes_first(store: Store, memory: Memory) -> None:
    store.activations.activate("crm", None, 100)
    assert memory.spend("night", 98, LIMIT)
    assert memory.spend("night", 12, LIMIT)
    assert not memory.spend("night", 1, LIMIT)
    assert memory.spend("next night", LIMIT, LIMIT)
    assert not memory.spend("next night", 1, LIMIT)


def test_what_is_held_takes_nothing_of_what_was_agreed_to(store: Store, memory: Memory) -> None:
    store.activations.activate("crm", None, 5)
    assert not memory.spend("night", 16, LIMIT)
    assert memory.spend("night", 15, LIMIT)


def test_what_was_agreed_to_counts_even_where_the_limit_was_lowered_since(
    store: Store, memory: Memory
) -> None:
    assert memory.spend("night", LIMIT, LIMIT)
    store.activations.activate("crm", None, 5)
    assert memory.spend("night", 5, 1)
    assert not memory.spend("night", 1, 1)


def test_taking_consent_back_takes_what_was_agreed_to(store: Store, memory: Memory) -> None:
    store.activations.activate("crm", None, 100)
    store.activations.deactivate("crm")
    assert not memory.spend("night", LIMIT + 1, LIMIT)


def test_a_held_run_goes_on_once_a_person_approves(store: Store, memory: Memory) -> None:
    assert not memory.spend("night", 600, LIMIT)
    assert store.activations.approve("crm") == ("night",)
    assert memory.spend("night", 600, LIMIT)
    assert memory.spend("night", 600, LIMIT)
    assert not memory.spend("next night", 600, LIMIT)


def test_approving_touches_nothing_that_was_not_held(store: Store, memory: Memory) -> None:
    pos = store.memory("pos", store.leases.acquire("sink:pos"))
    assert memory.spend("monday", 1, LIMIT)
    assert not memory.spend("tuesday", 11, LIMIT)
    assert not pos.spend("tuesday", 11, LIMIT)
    assert store.activations.approve("crm") == ("tuesday",)
    assert store.activations.approve("crm") == ()
    assert not memory.spend("monday", 11, LIMIT)
    assert not pos.spend("tuesday", 11, LIMIT)


def test_a_run_that_fits_after_all_is_no_longer_held(store: Store, memory: Memory) -> None:
    assert not memory.spend("night", 11, LIMIT)
    assert memory.spend("night", 11, 2 * LIMIT)  # somebody raised the limit
    assert store.activations.approve("crm") == ()


def test_what_webhooks_bring_counts_by_day(memory: Memory, clock: Ticking) -> None:
    assert memory.spend(WEBHOOK, LIMIT, LIMIT)
    assert not memory.spend(WEBHOOK, 1, LIMIT)
    clock.forward(DAY)
    assert memory.spend(WEBHOOK, LIMIT, LIMIT)


def test_what_webhooks_brought_before_midnight_may_be_created_after_it(
    store: Store, memory: Memory, clock: Ticking
) -> None:
    assert not memory.spend(WEBHOOK, 600, LIMIT)
    assert not memory.spend("night", 600, LIMIT)
    clock.forward(DAY)
    assert store.activations.approve("crm") == ("night", "webhook:2026-11-20")
    assert memory.spend(WEBHOOK, 600, LIMIT)
    clock.forward(DAY)
    assert not memory.spend(WEBHOOK, 600, LIMIT)


def test_what_was_not_made_after_all_is_given_back(store: Store, memory: Memory) -> None:
    store.activations.activate("crm", None, 5)
    for _ in range(20):  # the sink cannot be reached, again and again
        assert memory.spend("night", 12, LIMIT)
        assert memory.spend("night", -12, LIMIT)
    assert memory.spend("night", 15, LIMIT)
    assert not memory.spend("night", 1, LIMIT)


def test_giving_back_leaves_a_held_run_held(store: Store, memory: Memory) -> None:
    assert memory.spend("night", 3, LIMIT)
    assert not memory.spend("night", 11, LIMIT)
    memory.spend("night", -3, LIMIT)
    assert store.activations.approve("crm") == ("night",)


@pytest.mark.parametrize("kind", [ParkKind.INACTIVE, ParkKind.RESTORED])
def test_activation_lets_a_sink_go_on_that_waited_for_it(store: Store, kind: ParkKind) -> None:
    for sink in ("crm", "pos"):
        store.deliveries.park(sink, kind, "Nobody looked.", "Look.")
    store.activations.activate("crm", None, 0)
    assert list(store.deliveries.parked()) == ["pos"]


@pytest.mark.parametrize("kind", sorted(set(ParkKind) - {ParkKind.INACTIVE, ParkKind.RESTORED}))
def test_activation_mends_no_other_trouble(store: Store, kind: ParkKind) -> None:
    store.deliveries.park("crm", kind, "It is so.", "Mend it.")
    store.activations.activate("crm", None, 0)
    assert store.deliveries.parked()["crm"].kind is kind


RUNS = ("monday", "tuesday", WEBHOOK)
steps = st.one_of(
    st.tuples(st.just("spend"), st.sampled_from(RUNS), st.integers(1, 15)),
    st.tuples(st.just("give back"), st.sampled_from(RUNS), st.integers(1, 15)),
    st.tuples(st.just("activate"), st.just(""), st.integers(0, 20)),
    st.tuples(st.just("approve"), st.just(""), st.just(0)),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 12), taken=st.lists(steps, max_size=25))
def test_never_more_is_created_than_the_limits_and_what_was_agreed_to(
    store: Store, limit: int, taken: list[tuple[str, str, int]]
) -> None:
    sink = f"crm{next(_numbers)}"
    memory = store.memory(sink, store.leases.acquire(f"sink:{sink}"))
    made = dict.fromkeys(RUNS, 0)
    agreed, held, approved = 0, set[str](), set[str]()
    for step, run_id, number in taken:
        match step:
            case "spend":
                fits = memory.spend(run_id, number, limit)
                made[run_id] += number * fits
                held = held - {run_id} if fits else held | {run_id}
                assert fits or run_id not in approved
                assert fits or number + sum(made.values()) > limit
            case "give back" if number <= made[run_id]:
                memory.spend(run_id, -number, limit)
                made[run_id] -= number
            case "activate":
                store.activations.activate(sink, None, number)
                agreed += number
            case "approve":
                assert len(store.activations.approve(sink)) == len(held)
                approved, held = approved | held, set()
        beyond = sum(max(made[each] - limit, 0) for each in RUNS if each not in approved)
        assert beyond <= agreed
