"""Checks that a process that dies between contact, appointment and link leaves nothing behind."""

import inspect
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes import child
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.bookings import BEGINNING, Bookings
from zimun_sync.testing.remotes.harness import Lack
from zimun_sync.testing.remotes.rig import RemoteRig, at

#: Kills that there must be at least: intents and outcomes of one appointment, twice over.
_LEAST_MOMENTS = 4


class CrashChecks(RemoteContractBase):
    """Real processes, killed without a word at every moment that matters."""

    @check()
    def test_a_process_killed_at_any_moment_is_mended(self, rig: RemoteRig, tmp_path: Path) -> None:
        """Its successor ends with the latest state, and with nothing twice."""
        moments = self._die(rig, tmp_path)
        assert moments >= _LEAST_MOMENTS, "the process was hardly ever killed"
        found = {
            number: trouble
            for number in range(1, moments + 1)
            if (trouble := self._trouble_after(rig, tmp_path / str(number), number))
        }
        assert not found, f"after a kill at these of {moments} moments: {found}"
        self._nothing_is_there_twice(rig, moments)

    def _trouble_after(self, rig: RemoteRig, folder: Path, number: int) -> str:
        """What is wrong after the successor has gone on; empty if nothing is."""
        with RemoteRig(folder, rig.harness) as successor:
            try:
                self._is_mended(successor, number)
            except AssertionError as wrong:
                return str(wrong).partition("\n")[0]
        return ""

    def _is_mended(self, rig: RemoteRig, number: int) -> None:
        rig.bookings = Bookings(BEGINNING + timedelta(days=1))
        child.after(rig, number)
        assert rig.delivery.step(more=False) is Progress.IDLE
        codes = {entry.code for entry in rig.quarantine().values()}
        if codes:
            assert rig.lacks(Lack.SURE_APPOINTMENTS) or rig.lacks(Lack.SURE_CONTACTS), codes
            assert codes == {"maybe-created"}
            return
        seen = rig.appointment(number)
        assert seen.starts_at == at(f"2031-04-{1 + number % 28:02}T09:45:00+02:00")
        if not rig.lacks(Lack.CONTACTS):
            assert rig.contact(number).name == f"Other {number}", f"killed at moment {number}"

    def _nothing_is_there_twice(self, rig: RemoteRig, moments: int) -> None:
        emails = Counter(each.email for each in rig.system.contacts())
        assert not [email for email, found in emails.items() if found > 1]
        appointments = len(rig.system.appointments())
        if rig.lacks(Lack.SURE_APPOINTMENTS):
            assert appointments <= moments
        else:
            assert appointments == moments

    def _die(self, rig: RemoteRig, folder: Path) -> int:
        """How many processes there were; all but the last one were killed."""
        contract = type(self)
        if contract.__qualname__ != contract.__name__:
            pytest.fail(f"{contract.__qualname__} must stand at the top level of its file")
        file, address = inspect.getfile(contract), rig.harness.address
        command = [sys.executable, "-m", child.__name__, file, contract.__name__, str(folder)]
        ended = subprocess.run(  # noqa: S603 - this interpreter, our own module
            [*command, address], capture_output=True, text=True, env=_environment(), check=False
        )
        assert ended.returncode == 0, ended.stderr
        return len(ended.stdout.split())


def _environment() -> dict[str, str]:
    """Ours, with our import path, so that the child finds what the test file imports."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
