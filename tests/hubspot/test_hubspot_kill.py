"""Killed in the midst of a sync, an answer on its way: nothing is doubled or lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hubspot.doomed import BOOKINGS, book
from tests.hubspot.harness import HubspotHarness
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes.rig import RemoteRig

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


@pytest.mark.parametrize(
    "commits", [2, 5, 8], ids=["among contacts", "among meetings", "among links"]
)
def test_a_sync_that_was_killed_is_completed_by_the_next(tmp_path: Path, commits: int) -> None:
    harness = HubspotHarness("")
    fake = harness.fake
    fake.hold_after(commits)
    command = [sys.executable, "-m", "tests.hubspot.doomed", str(tmp_path), harness.address]
    with subprocess.Popen(command, cwd=ROOT) as doomed:
        assert fake.held.wait(PATIENCE)
        doomed.kill()
    fake.release()
    with RemoteRig(tmp_path, harness) as rig:
        book(rig)
        assert rig.sync() is Progress.IDLE
        assert not rig.quarantine()
        written = fake.writes
        rig.sync()
        assert fake.writes == written
    portal = fake.portal
    assert len(portal.of("contacts")) == len(portal.of("meetings")) == BOOKINGS
    assert len(portal.associations) == BOOKINGS
    assert all(len(portal.contacts_of("meetings", each.id)) == 1 for each in portal.of("meetings"))
    harness.close()
