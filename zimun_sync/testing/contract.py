"""The contract every sink passes, as a pytest class to inherit from."""

import pytest

from zimun_sync.testing.abilities import AbilityChecks
from zimun_sync.testing.base import checks_due
from zimun_sync.testing.forgetting import ForgettingChecks
from zimun_sync.testing.promotions import PromotionChecks
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.sequences import SequenceChecks
from zimun_sync.testing.verifying import VerifyChecks
from zimun_sync.testing.writes import WriteChecks


class SinkContract(
    AbilityChecks, ForgettingChecks, PromotionChecks, SequenceChecks, VerifyChecks, WriteChecks
):
    """Inherit, implement `harness`, and run with pytest.

    The class must stand at the top level of its file, for the crash checks load it in a
    process of their own. Run it whole and in order: the last test asserts that every check
    the sink's abilities call for was made, and compared values of every type.
    """

    def test_zz_every_check_was_made(self, rig: Rig, request: pytest.FixtureRequest) -> None:
        """Nothing passed for want of being tried."""
        due = checks_due(type(self), rig.abilities)
        selected = {
            item.function.__name__
            for item in request.session.items
            if isinstance(item, pytest.Function) and item.cls is type(self)
        }
        if not due <= selected:
            pytest.skip("only a part of the contract was selected")
        missing = due - self.finished
        assert not missing, f"these checks did not finish: {sorted(missing)}"
        assert self.compared, "no value was compared: look at `streams`, `seen` and the harness"
        untried = {kind.value for kind, count in self.compared.items() if not count}
        assert not untried, f"no value of these types was compared: {sorted(untried)}"
