"""Each bug that is put into the real code on purpose is found."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain

import pytest

from tests.simulation.planted import PLANTED, SEEDS, TAKES_LONG
from tests.simulation.runner import run
from tests.thorough import THOROUGH


@pytest.mark.parametrize("bug", [bug for bug in PLANTED if THOROUGH or bug not in TAKES_LONG])
def test_a_planted_bug_is_found(bug: str) -> None:
    plant, found_at = PLANTED[bug]
    with ExitStack() as stack:
        plant(stack)
        assert any(run(seed).violations for seed in _seeds(found_at)), bug


def _seeds(found_at: int) -> Iterator[int]:
    """First the one that found it last; a change of the simulator may have moved it."""
    return chain((found_at,), range(SEEDS))
