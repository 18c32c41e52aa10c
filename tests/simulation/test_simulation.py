"""Scenarios by their seeds; `make soak` plays many more."""

import pytest

from tests.simulation.cases import CASES
from tests.simulation.runner import run
from tests.thorough import times

_AT_ONCE = 10
_SEEDS = [*CASES, *range(times(60, 3_000))]


@pytest.mark.parametrize("first", range(0, len(_SEEDS), _AT_ONCE))
def test_whatever_happens_every_sink_ends_with_the_truth(first: int) -> None:
    outcomes = [run(seed) for seed in _SEEDS[first : first + _AT_ONCE]]
    failed = [f"{CASES.get(each.seed, '')} {each}" for each in outcomes if each.violations]
    assert not failed, "\n".join(failed)


def test_a_seed_tells_the_same_story_twice() -> None:
    assert run(7).story == run(7).story
