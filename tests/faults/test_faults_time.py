"""This machine's clock is wrong, by minutes or by a day, and is set right in between."""

import signal

import pytest

from tests.acceptance.daemon import until
from tests.faults.conftest import NewWorld
from tests.faults.world import AGAIN_AT_MOST, ROWS, World, event_of, fetched_again, served
from tests.thorough import times

TEN_MINUTES, A_DAY, YEARS = 600, 86_400, 5 * 365 * 86_400


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(TEN_MINUTES, "too-old"), (-TEN_MINUTES, "too-new")][: times(1, 2)],
)
def test_a_clock_that_is_ten_minutes_off(synced: World, ahead: int, said: str) -> None:
    """Pulls do not mind. A good webhook is refused with a reason of its own, and sent again."""
    synced.change()
    ended = synced.sync(clock=ahead)
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert synced.holds_the_truth()
    event = event_of(synced.change(every=ROWS)[0])
    with served(synced, clock=ahead) as daemon:
        answer = daemon.post(event, "skewed")
        assert (answer.status_code, answer.json()["error"]) == (401, said)
        assert "our clock, where 300 s are tolerated" in answer.json()["message"]
    with served(synced) as daemon:
        assert daemon.post(event, "skewed").status_code == 202
        until(synced.holds_the_truth, "the event is applied")


@pytest.mark.parametrize("ahead", [A_DAY, YEARS][: times(1, 2)])
def test_a_clock_that_is_set_back(new_world: NewWorld, ahead: int) -> None:
    """What was done with the wrong clock neither hides nor undoes what is done with the right one.

    A sync that is killed after it is still gone on with where it was.
    """
    world = new_world("files")
    assert world.sync(clock=ahead).code == 0
    world.change()
    mark = str(world.project.folder.with_suffix(".mark"))
    dies = {"at": "after page commit", "time": 4, "mark": mark}
    with world.started("sync", dies=dies) as process:
        assert process.wait() == -signal.SIGKILL
    before, ended = world.pages(), world.sync()
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert fetched_again(before, world.pages()) <= AGAIN_AT_MOST
    assert world.holds_the_truth()
    shown = world.run("runs", "--json").json
    latest = next(run for run in shown if run["stream"] == "appointments")
    assert (latest["run_id"], latest["resumes"]) == (ended.json["runs"][-1]["run_id"], 1)
