"""Checks that what `write` acknowledged survives the death of the process."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zimun_sync.testing import child
from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import STORY_BATCHES, story

#: Batches acknowledged before the process is killed somewhere in a later one.
_KILL_AFTER = 5


class CrashChecks(ContractBase):
    """The writer runs in a process of its own, which dies without closing the sink."""

    @check()
    def test_a_process_that_ends_without_close_loses_nothing(
        self, rig: Rig, tmp_path: Path
    ) -> None:
        """Every batch was acknowledged; opening again is enough for readers to find it all."""
        acknowledged = self._die_after(STORY_BATCHES, tmp_path)
        self._mend(rig, acknowledged)

    @check()
    def test_a_process_killed_while_writing_loses_nothing(self, rig: Rig, tmp_path: Path) -> None:
        """SIGKILL in the midst of a batch: what was acknowledged is there, the rest comes again."""
        acknowledged = self._die_after(_KILL_AFTER, tmp_path)
        self._mend(rig, acknowledged)

    def _die_after(self, batches: int, folder: Path) -> int:
        with subprocess.Popen(  # noqa: S603 - this interpreter, our own module
            self._command(folder), stdout=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(batches)]
            process.kill()
            lines += process.stdout.readlines()
        acknowledged = sum(line.endswith(b"\n") for line in lines)
        assert acknowledged >= batches, f"the writer stopped by itself after {acknowledged} batches"
        return acknowledged

    def _command(self, folder: Path) -> list[str]:
        contract = type(self)
        if contract.__qualname__ != contract.__name__:
            pytest.fail(f"{contract.__qualname__} must stand at the top level of its file")
        return [
            sys.executable,
            "-m",
            child.__name__,
            inspect.getfile(contract),
            contract.__name__,
            str(folder),
        ]

    def _mend(self, rig: Rig, acknowledged: int) -> None:
        batches = list(story())
        for batch in batches[:acknowledged]:
            rig.expected.take(batch)
        sink = rig.open()
        if acknowledged == len(batches):
            rig.check()
        applied = sum(rig.write(sink, batch).applied for batch in batches[:acknowledged])
        assert applied == 0, f"{applied} acknowledged changes had to be written again"
        for batch in batches[acknowledged:]:
            rig.write(sink, batch)
        rig.check()


def environment() -> dict[str, str]:
    """Ours, with our import path, so that the child finds what the test file imports."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
