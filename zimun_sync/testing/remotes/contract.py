"""The contract that every connector to a remote system passes, as a pytest class to inherit."""

import pytest

from zimun_sync.testing.remotes.base import checks_due
from zimun_sync.testing.remotes.crashes import CrashChecks
from zimun_sync.testing.remotes.failures import FailureChecks
from zimun_sync.testing.remotes.people import PeopleChecks
from zimun_sync.testing.remotes.persons import PersonChecks
from zimun_sync.testing.remotes.policies import PolicyChecks
from zimun_sync.testing.remotes.writes import WriteChecks


class RemoteContract(
    WriteChecks, PersonChecks, PeopleChecks, PolicyChecks, FailureChecks, CrashChecks
):
    """Inherit, implement `harness`, and run with pytest.

    Nothing of the engine is imitated: bookings are pulled, normalized, stored and delivered as
    by `zimun-sync sync`, through the connector's own sink, to the system of the harness. The
    class must stand at the top level of its file, for the crash checks load it in a process of
    their own. Run it whole and in order: the last test asserts that every check was made.
    """

    def test_zz_every_check_was_made(self, request: pytest.FixtureRequest) -> None:
        """Nothing passed for want of being tried."""
        due = checks_due(type(self))
        selected = {
            item.function.__name__
            for item in request.session.items
            if isinstance(item, pytest.Function) and item.cls is type(self)
        }
        if not due <= selected:
            pytest.skip("only a part of the contract was selected")
        missing = due - self.finished
        assert not missing, f"these checks did not finish: {sorted(missing)}"
