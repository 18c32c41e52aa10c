"""What the groups of checks share, and how the contract knows that each check was made."""

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import pytest

from zimun_sync.testing.remotes.absences import assert_absent
from zimun_sync.testing.remotes.harness import Lack, RemoteHarness
from zimun_sync.testing.remotes.rig import RemoteRig

Test = TypeVar("Test", bound=Callable[..., None])


class RemoteContractBase:
    """The hook a connector implements, and the checks made, kept per contract class."""

    #: Names of the checks that ran to their end.
    finished: ClassVar[set[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.finished = set()

    def harness(self, folder: Path, address: str = "") -> RemoteHarness:
        """The system under test.

        Args:
            folder: an empty folder for whatever it keeps.
            address: where it runs already, as `RemoteHarness.address` told another process;
                empty: start one.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement harness()")

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[RemoteRig]:
        """The system of one test, empty, and a state beside it."""
        harness = self.harness(tmp_path)
        try:
            with RemoteRig(tmp_path, harness) as rig:
                yield rig
        finally:
            harness.close()


def check(*needs: Lack) -> Callable[[Test], Test]:
    """Mark a test as a check of the contract.

    Where the harness states that the system lacks one of the abilities that the check needs,
    that statement is put to the test instead.
    """

    def mark(test: Test) -> Test:
        @wraps(test)
        def run(self: RemoteContractBase, rig: RemoteRig, **fixtures: Any) -> None:
            missing = [lack for lack in needs if rig.lacks(lack)]
            if missing:
                assert_absent(rig, missing[0])
            else:
                test(self, rig, **fixtures)
            self.finished.add(run.__name__)

        run.__dict__["is_check"] = True
        return cast(Test, run)

    return mark


def checks_due(contract: type[RemoteContractBase]) -> set[str]:
    """Names of all checks; one that a subclass overrides stays due."""
    return {
        name
        for group in contract.__mro__
        for name, member in vars(group).items()
        if "is_check" in getattr(member, "__dict__", {})
    }
