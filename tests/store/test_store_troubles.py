"""What is wrong is told once, across restarts."""

from hypothesis import given
from hypothesis import strategies as st

from tests.store.conftest import State, Ticking
from zimun_sync.store import Store, Turns


def test_a_trouble_begins_once_and_ends_once(store: Store, clock: Ticking) -> None:
    assert store.troubles.update({"disk": "low"}) == Turns(("disk",), {})
    assert store.troubles.update({"disk": "low"}) == Turns((), {})
    clock.forward(60)
    ended = store.troubles.update({}).ended
    assert ended.keys() == {"disk"}
    assert 60 <= ended["disk"] < 61
    assert store.troubles.update({}) == Turns((), {})


def test_another_reason_is_no_new_trouble_but_is_remembered(store: Store, clock: Ticking) -> None:
    store.troubles.update({"disk": "900 MB free"})
    since = store.troubles.known()["disk"].since
    clock.forward(60)
    assert store.troubles.update({"disk": "800 MB free"}) == Turns((), {})
    known = store.troubles.known()["disk"]
    assert (known.reason, known.since) == ("800 MB free", since)


def test_what_is_undecided_stays_as_it_is(store: Store) -> None:
    store.troubles.update({"source main": "failed", "sink files": "parked"})
    turns = store.troubles.update({}, undecided={"source main", "source other"})
    assert turns.ended.keys() == {"sink files"}
    assert store.troubles.known().keys() == {"source main"}
    assert store.troubles.update({}).ended.keys() == {"source main"}


def test_an_undecided_subject_that_is_wrong_still_begins(store: Store) -> None:
    assert store.troubles.update({"disk": "low"}, undecided={"disk"}).began == ("disk",)


def test_a_restart_tells_nothing_again(state: State) -> None:
    with state.open() as first:
        first.troubles.update({"disk": "low"})
    with state.open() as second:
        assert second.troubles.update({"disk": "low"}) == Turns((), {})
        assert second.troubles.update({}).ended.keys() == {"disk"}


def test_a_reason_that_no_database_stores_is_taken(store: Store) -> None:
    store.troubles.update({"sink files": "said \0 and \ud800"})
    assert store.troubles.known()["sink files"].reason == "said \N{REPLACEMENT CHARACTER} and ?"


def test_any_course_of_troubles_is_told_as_its_differences(state: State) -> None:
    store = state.open()

    @given(
        st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y"])), max_size=6)
    )
    def check(course: list[dict[str, str]]) -> None:
        store.troubles.update({})
        before: set[str] = set()
        for current in course:
            turns = store.troubles.update(current)
            assert set(turns.began) == current.keys() - before
            assert turns.ended.keys() == before - current.keys()
            before = set(current)

    check()
