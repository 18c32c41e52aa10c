from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.store.merge import NOTHING_OVERRULED, Incoming, Standing, Verdict, judge

#: No arrival is asked for later than what stands was received, so nothing is disputed.
RECEIVED = 1_000_000

versions = st.builds(
    lambda version, deleted, content: incoming(version, content, deleted=deleted),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from("abc"),
)


def incoming(
    version: int, content: str, *, deleted: bool = False, row: str = "", asked_at: int = 0
) -> Incoming:
    return Incoming(version, deleted, content.encode(), (row or content).encode(), asked_at)


def standing(arrival: Incoming, before: Standing | None = None) -> Standing:
    correction, overruled = (
        (0, NOTHING_OVERRULED) if before is None else (before.correction, before.overruled)
    )
    version, deleted, content, row, _ = arrival
    return Standing(1, correction, overruled, version, version, deleted, content, row, RECEIVED, 1)


def rank(arrival: Incoming | Standing) -> tuple[int, bool, bytes]:
    return arrival.version, arrival.deleted, arrival.hash


def stands(verdict: Verdict) -> bool:
    return verdict in {Verdict.CHANGE, Verdict.REFRESH}


def merged(arrivals: Iterable[Incoming], present: Standing | None = None) -> Standing:
    for arrival in arrivals:
        if stands(judge(present, arrival)):
            present = standing(arrival, present)
    assert present is not None
    return present


def corrected(answer: Incoming, wrong: Standing) -> Standing:
    overruled = max(wrong.overruled, wrong.version)
    return standing(answer)._replace(correction=wrong.correction + 1, overruled=overruled)


@given(st.lists(versions, min_size=1).flatmap(lambda some: st.permutations(some + some[:3])))
def test_any_order_with_any_doubles_ends_with_the_greatest_version(
    arrivals: list[Incoming],
) -> None:
    assert rank(merged(arrivals)) == max(map(rank, arrivals))


@given(st.lists(versions, min_size=1))
def test_what_stands_never_goes_backwards(arrivals: list[Incoming]) -> None:
    ranks = [rank(merged(arrivals[: count + 1])) for count in range(len(arrivals))]
    assert ranks == sorted(ranks)


@given(versions, versions)
def test_the_same_version_twice_changes_nothing(first: Incoming, second: Incoming) -> None:
    present = merged([first, second])
    again = first if rank(first) == rank(present) else second
    assert judge(present, again) is Verdict.NOTHING


@given(versions, versions, st.lists(versions))
def test_after_a_correction_only_what_is_later_than_the_overruled_version_can_win(
    wrong: Incoming, answer: Incoming, arrivals: list[Incoming]
) -> None:
    overruled = standing(wrong)
    present = corrected(answer, overruled)
    able = [each for each in arrivals if each.version > overruled.version]
    assert rank(merged(arrivals, present)) == max([rank(present), *map(rank, able)])


@pytest.mark.parametrize(
    ("arrival", "verdict"),
    [
        (incoming(6, "a"), Verdict.REFRESH),
        (incoming(5, "a"), Verdict.NOTHING),
        (incoming(4, "a"), Verdict.EARLIER),
        (incoming(6, "b"), Verdict.CHANGE),
        (incoming(6, "b", row="a"), Verdict.REFRESH),
        (incoming(5, "b"), Verdict.CHANGE),
        (incoming(5, "A"), Verdict.LATE),
        (incoming(4, "b"), Verdict.LATE),
        (incoming(4, "b", asked_at=RECEIVED), Verdict.LATE),
        (incoming(4, "b", asked_at=RECEIVED + 1), Verdict.DISPUTED),
        (incoming(5, "A", asked_at=RECEIVED + 1), Verdict.DISPUTED),
        (incoming(4, "a", asked_at=RECEIVED + 1), Verdict.EARLIER),
        (incoming(5, "a", deleted=True), Verdict.CHANGE),
        (incoming(4, "a", deleted=True), Verdict.LATE),
    ],
)
def test_an_arrival_against_version_5_with_content_a(arrival: Incoming, verdict: Verdict) -> None:
    assert judge(standing(incoming(5, "a")), arrival) is verdict


@pytest.mark.parametrize(
    ("arrival", "verdict"),
    [
        (incoming(5, "a"), Verdict.LATE),
        (incoming(6, "a"), Verdict.CHANGE),
        (incoming(6, "a", deleted=True), Verdict.REFRESH),
        (incoming(4, "b", asked_at=RECEIVED + 1), Verdict.DISPUTED),
    ],
)
def test_an_arrival_against_a_tombstone_of_version_5(arrival: Incoming, verdict: Verdict) -> None:
    assert judge(standing(incoming(5, "a", deleted=True)), arrival) is verdict


def test_the_first_version_stands() -> None:
    assert judge(None, incoming(-5, "a")) is Verdict.CHANGE
