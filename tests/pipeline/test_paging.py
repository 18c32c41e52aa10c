"""Page drift: listings that move while they are read are read again, and others are not."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.pipeline.conftest import STREAMS, Bench
from tests.pipeline.moving import ORDERS, Case, Desk, MovingApi, tried
from tests.states import put_new_state
from tests.thorough import THOROUGH, times
from zimun_sync.errors import NotFound, PageTokenExpired, SourceUnavailable
from zimun_sync.events import DeletionsHeld, ListingRepeated, ListingUnsettled
from zimun_sync.normalize import normalize_items
from zimun_sync.pipeline.passes import MAX_PASSES, Paging
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.pipeline.sync import Sync, SyncOptions
from zimun_sync.store import Run, Store
from zimun_sync.zimun import Page

Make = Callable[..., dict[str, Any]]
Changes = dict[int, Callable[[], None]]


class Moving:
    """Thirty appointments in three pages; `changes` happen before requests for a page of them."""

    def __init__(self, bench: Bench, make: Make) -> None:
        self.bench = bench
        self.api = bench.api
        self.make = make
        self.paging = Paging.AUTO
        self.changes: Changes = {}
        self.asked = 0
        self._page = self.api.page
        self.api.page = self.page  # type: ignore[method-assign, assignment]
        self.put(*range(30))

    def put(self, *numbers: int) -> None:
        """Let these be listed, in this order."""
        self.api.put("appointments", *map(self.make, numbers))

    def page(self, stream: str, *rest: Any) -> Page:
        if stream == "appointments":
            number, self.asked = self.asked, self.asked + 1
            self.changes.get(number, lambda: None)()
        return self._page(stream, *rest)

    def sync(self) -> Run:
        """Sync; the run of appointments."""
        self.asked = 0
        self.api.calls.clear()
        job = SourceJob("main", self.api, self.bench.rules, STREAMS, paging=self.paging)
        options = SyncOptions(patience=0.0, stop=self.bench.options.stop)
        report = Sync(
            self.bench.store, [job], self.bench.sinks, self.bench.events.append, options
        ).run()
        return report.runs[-1]

    def known(self) -> None:
        """A first sync, of which nothing is told afterwards."""
        self.sync()
        self.bench.events.clear()

    def keys(self) -> set[int]:
        """Numbers of the appointments in the sink."""
        return {int(key.removeprefix("a_")) for key in self.bench.sink.keys()}  # noqa: SIM118 - no dict

    def reasons(self) -> list[str]:
        """Why listings were repeated."""
        return [event.reason for event in self.bench.of(ListingRepeated)]


@pytest.fixture
def moving(bench: Bench, make_appointment: Make) -> Moving:
    return Moving(bench, make_appointment)


@pytest.mark.parametrize("paging", [Paging.AUTO, Paging.STABLE])
def test_a_quiet_source_is_read_once(moving: Moving, paging: Paging) -> None:
    moving.known()
    moving.paging = paging
    for _ in range(2):
        run = moving.sync()
        assert (run.passes, run.pages, run.records, run.found_late) == (1, 3, 30, 0)
        assert len(moving.api.tokens_of("appointments")) == 3
    assert moving.reasons() == []


def test_what_was_edited_and_removed_between_nights_is_no_movement(moving: Moving) -> None:
    moving.known()
    edited = moving.make(3, notes="later", updated_at="2026-11-19T00:00:00Z")
    moving.api.put("appointments", *map(moving.make, range(4, 30)), edited)
    run = moving.sync()
    assert (run.passes, run.tombstoned) == (1, 3)


def test_a_first_listing_is_read_once_more_backward(moving: Moving) -> None:
    moving.changes = {2: lambda: moving.put(*range(1, 30))}  # 20 slips to the second page
    run = moving.sync()
    forward, backward = [None, "10", "20"], ["20", "10", None]
    assert moving.api.tokens_of("appointments") == [*forward, *backward, *forward]
    assert moving.reasons() == [
        "it brought what was not known",
        "1 record was found only by the last pass",
    ]
    assert (run.passes, moving.keys()) == (3, {*range(30)})


def test_a_record_made_by_day_that_slips_by_night_is_found(moving: Moving) -> None:
    """Nobody can miss it by its id: from the page before the first new record it is read again."""
    moving.put(*range(60))
    moving.known()
    moving.put(*range(62))
    moving.changes = {6: lambda: moving.put(*range(1, 62))}  # 60 slips, and 61 is there
    run = moving.sync()
    assert moving.api.tokens_of("appointments")[7:9] == ["60", "50"]
    assert (run.found_late, moving.keys()) == (0, {*range(62)})


def test_only_pages_about_new_records_are_read_again(moving: Moving) -> None:
    moving.put(*range(60))
    moving.known()
    moving.put(*range(61))
    run = moving.sync()
    assert moving.api.tokens_of("appointments")[7:] == ["60", "50"]
    assert (run.passes, run.pages, run.found_late) == (2, 9, 0)
    assert moving.reasons() == ["it brought what was not known"]


def test_a_record_on_two_pages_brings_another_pass(moving: Moving) -> None:
    # One is made in front, and 9 comes twice; then three are removed, and 19 to 21 are skipped.
    moving.changes = {
        1: lambda: moving.put(50, *range(30)),
        2: lambda: moving.put(*range(2, 30)),
    }
    run = moving.sync()
    assert (run.status, run.passes) == ("succeeded", 3)
    assert moving.keys() >= {*range(2, 30)}
    assert (run.records, run.pages, run.found_late) == (28, 9, 0)
    assert moving.reasons() == [
        "1 record was listed on two pages",
        "3 records were found only by the last pass",
    ]
    assert [event.passes for event in moving.bench.of(ListingRepeated)] == [2, 3]


def test_an_edited_record_that_comes_twice_brings_another_pass(moving: Moving) -> None:
    edited = moving.make(3, notes="later", updated_at="2026-11-19T00:00:00Z")

    def move_to_the_end() -> None:
        rest = [moving.make(number) for number in range(30) if number != 3]
        moving.api.put("appointments", *rest, edited)

    moving.changes = {1: move_to_the_end}
    run = moving.sync()
    assert (run.passes, moving.reasons()[0]) == (3, "1 record was listed on two pages")
    assert moving.keys() == {*range(30)}  # 10 had moved to the page before


def test_a_missed_record_that_is_there_brings_another_pass(moving: Moving) -> None:
    moving.put(*range(29))
    moving.known()
    # 29 is new, 20 is known; both move to a page that was read when 0 and 1 are removed.
    moving.put(*range(20), 29, *range(20, 29))
    moving.changes = {2: lambda: moving.put(*range(2, 20), 29, *range(20, 29))}
    run = moving.sync()
    assert moving.reasons() == [
        "a record that it missed is there",
        "1 record was found only by the last pass",
    ]
    assert (run.passes, moving.keys()) == (3, {*range(30)})


def test_a_record_found_by_id_alone_takes_no_third_pass(moving: Moving) -> None:
    moving.known()
    moving.changes = {1: lambda: moving.put(*range(1, 30))}
    run = moving.sync()
    assert (run.passes, run.found_late) == (2, 0)
    assert moving.api.by_id_calls[-1] == "a_00010"
    assert (moving.sync().tombstoned, moving.keys()) == (1, {*range(1, 30)})


def test_nothing_is_asked_for_by_id_that_a_later_pass_brought(moving: Moving) -> None:
    moving.known()
    moving.changes = {1: lambda: moving.put(*range(5, 30))}
    moving.sync()
    # Of five that were skipped the first one is asked for; then the others are listed.
    skipped = [f"a_{number:05d}" for number in range(10, 15)]
    assert [key for key in moving.api.by_id_calls if key in skipped] == skipped[:1]


def test_a_record_that_is_never_listed_brings_another_pass_once(moving: Moving) -> None:
    moving.known()
    moving.put(*range(29))
    moving.api.unlisted = [moving.make(29)]
    assert [moving.sync().passes for _ in range(3)] == [2, 1, 1]
    assert moving.api.by_id_calls.count("a_00029") == 3  # each night: it may be gone
    moving.api.unlisted = []
    assert moving.sync().tombstoned == 1


def test_too_many_missing_are_looked_for_once_more(moving: Moving) -> None:
    """Twelve slip at once: what a second pass finds needs nobody's approval."""
    moving.put(*range(60))
    moving.known()
    moving.changes = {3: lambda: moving.put(*range(12, 60))}
    run = moving.sync()
    assert moving.reasons() == [
        "it lacks 12 of 60 records",
        "12 records were found only by the last pass",
    ]
    assert (run.status, run.passes, run.tombstoned) == ("succeeded", 3, 0)
    assert moving.bench.of(DeletionsHeld) == []
    moving.changes = {}
    run = moving.sync()  # and these twelve are gone indeed
    assert (run.status, run.passes) == ("needs_attention", 2)


def test_records_that_are_really_gone_cost_one_more_listing_once(moving: Moving) -> None:
    moving.put(*range(60))
    moving.known()
    before = len(moving.api.by_id_calls)
    moving.put(*range(40))
    found = [moving.sync() for _ in range(3)]
    assert [(run.status, run.passes) for run in found] == [
        ("needs_attention", 2),
        ("needs_attention", 1),
        ("needs_attention", 1),
    ]
    assert "lacks 20 of 60 records" in str(found[0].error)
    assert len(moving.api.by_id_calls) == before  # stopped before any was asked for
    assert len(moving.bench.of(DeletionsHeld)) == 3


def test_a_brake_that_came_after_a_kill_is_looked_at_again(moving: Moving) -> None:
    """Ended between the brake and the second pass, the run goes on with that pass."""
    moving.put(*range(60))
    moving.known()
    moving.put(*range(40))

    def fail() -> None:
        raise SourceUnavailable("Gone.")

    moving.changes = {4: fail}
    assert (moving.sync().status, moving.reasons()) == ("failed", ["it lacks 20 of 60 records"])
    moving.changes = {}
    moving.put(*range(60))
    run = moving.sync()
    assert (run.status, run.passes, run.resumes, run.tombstoned) == ("succeeded", 3, 1, 0)


def test_what_always_comes_twice_brings_another_pass_once(moving: Moving) -> None:
    """A list made by a join shows one record on two pages, whatever happens."""
    moving.put(*range(29), 5)
    assert [moving.sync().passes for _ in range(4)] == [2, 1, 1, 1]
    assert moving.reasons() == ["1 record was listed on two pages"]
    moving.changes = {1: lambda: moving.put(*range(-1, 29), 5)}
    moving.sync()  # 9 comes twice too
    assert moving.reasons()[1] == "1 record was listed on two pages"
    moving.changes = {}
    assert moving.sync().passes == 1


def test_what_came_twice_long_ago_is_no_habit(moving: Moving) -> None:
    moving.put(*range(29), 5)
    moving.known()
    moving.put(*range(30))
    assert moving.sync().passes == 2  # 29 is new
    moving.bench.events.clear()
    moving.put(*range(29), 5)
    moving.sync()
    assert "on two pages" in moving.reasons()[0]  # what is remembered is of the last run


def test_a_window_that_goes_on_brings_another_pass_once(moving: Moving) -> None:
    """What leaves it answers by id; that it did not move is seen once, not every night."""
    moving.api.unlisted = [moving.make(number) for number in range(40)]
    pages = []
    for first in range(6):
        moving.put(*range(first, 30 + first))
        pages.append(moving.sync().pages)
    assert pages == [6, 8, 5, 5, 5, 5]  # the last page and the one before it have new records
    assert moving.keys() == {*range(35)}


def test_a_window_hides_no_movement_for_longer_than_a_night(moving: Moving) -> None:
    moving.api.unlisted = [moving.make(number) for number in range(40)]
    for first in range(3):
        moving.put(*range(first, 30 + first))
        moving.sync()
    moving.changes = {1: lambda: moving.put(*range(3, 32))}  # 12 slips to the page before
    moving.bench.events.clear()
    moving.sync()
    assert moving.reasons() == []
    moving.changes = {1: lambda: moving.put(*range(4, 32))}  # 12 is listed again, 13 slips
    moving.sync()
    assert moving.reasons()[0] == "a record that it missed is there"


def test_unstable_is_read_until_a_pass_finds_nothing_new(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE
    assert moving.sync().passes == 2
    assert moving.reasons() == ["paging is set to unstable"]
    moving.changes = {1: lambda: moving.put(*range(1, 30)), 4: lambda: moving.put(*range(2, 30))}
    assert moving.sync().passes == 3  # 10 was skipped by the first one, 11 by the second
    assert moving.reasons()[2] == "1 record was found only by the last pass"


def test_a_listing_of_one_page_is_read_once_whatever_is_set(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE
    moving.put(*range(10))
    assert moving.sync().passes == 1


def test_stable_is_read_once_whatever_it_shows(moving: Moving) -> None:
    moving.paging = Paging.STABLE
    moving.changes = {1: lambda: moving.put(50, *range(30))}
    run = moving.sync()
    assert (run.passes, run.pages) == (1, 4)


def _hide(moving: Moving, shown: int) -> Callable[[], None]:
    """Show one more of the records that stood all along each time."""
    return lambda: moving.put(*range(29 - MAX_PASSES + shown), 40)


def test_five_passes_that_were_not_enough_are_told(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE
    moving.changes = {3 * number: _hide(moving, number) for number in range(MAX_PASSES)}
    run = moving.sync()
    assert (run.status, run.passes, run.found_late) == ("succeeded", MAX_PASSES, 1)
    [told] = moving.bench.of(ListingUnsettled)
    assert (told.passes, told.found_late) == (MAX_PASSES, 1)
    assert "the next night" in told.reason
    moving.changes = {}
    assert moving.sync().found_late == 0


def test_what_is_made_or_edited_meanwhile_is_not_late(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE
    new = "2027-01-01T00:00:00Z"

    def change() -> None:
        edited = [moving.make(number, notes="new", updated_at=new) for number in (3, 40)]
        kept = [moving.make(number) for number in range(30) if number != 3]
        moving.api.put("appointments", *edited, *kept)

    moving.changes = {3: change}
    run = moving.sync()
    assert (run.passes, run.found_late) == (2, 0)
    assert moving.keys() == {*range(30), 40}


def test_an_unchanged_page_is_not_decoded_by_a_later_pass(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.paging = Paging.UNSTABLE
    counts: list[int] = []

    def counted(items: Any, normalizer: Any) -> Any:
        counts.append(len(items))
        return normalize_items(items, normalizer)

    monkeypatch.setattr("zimun_sync.pipeline.normalizing.normalize_items", counted)
    run = moving.sync()
    assert (run.passes, run.records) == (2, 30)
    assert sum(counts) == 30 + 2  # the first pass, the organization and the location


def test_a_second_pass_that_failed_goes_on_at_its_checkpoint(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE

    def fail() -> None:
        raise SourceUnavailable("Gone.")

    moving.changes = {5: fail}
    assert moving.sync().status == "failed"
    moving.changes = {}
    run = moving.sync()
    assert moving.api.tokens_of("appointments") == [None]
    assert (run.status, run.passes, run.resumes, run.pages, run.records) == (
        "succeeded", 2, 1, 6, 30,
    )  # fmt: skip


def test_a_second_pass_whose_token_expired_begins_again_alone(moving: Moving) -> None:
    moving.paging = Paging.UNSTABLE

    def expire() -> None:
        raise PageTokenExpired("Too old.")

    moving.changes = {5: expire}
    run = moving.sync()
    assert moving.api.tokens_of("appointments")[3:] == ["20", "10", None, "10", "20"]
    assert (run.status, run.passes, run.restarts, run.records) == ("succeeded", 2, 1, 30)


def test_a_page_that_is_none_any_more_is_no_failure(moving: Moving) -> None:
    """The listing has become shorter; some APIs answer 404 behind its end."""

    def refuse() -> None:
        raise NotFound("No such page.")

    moving.changes = {3: refuse}
    run = moving.sync()
    assert moving.api.tokens_of("appointments")[3:] == [None, "10", "20"]
    assert (run.status, run.passes, run.restarts, run.records) == ("succeeded", 2, 1, 30)


def test_deletions_wait_for_the_last_pass(moving: Moving) -> None:
    moving.known()
    moving.paging = Paging.UNSTABLE
    # Backward the two pages that it had are read; the third one is found after that.
    moving.changes = {0: lambda: moving.put(*range(15)), 2: lambda: moving.put(*range(30))}
    run = moving.sync()  # the first pass lacked half of them, and would have been held
    assert (run.status, run.passes, moving.keys()) == ("succeeded", 4, {*range(30)})


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("known", [False, True])
def test_share_of_nights_that_lose_a_record(order: str, known: bool) -> None:
    """Measured at length by `python -m tests.pipeline.moving`: see docs/paging.md."""
    case = Case(0, order, known, Paging.AUTO)
    found = tried(case, times(12, 1_000))
    lost, plain = (sum(each[at] for each in found) / len(found) for at in (1, 0))
    if order.startswith("keyset"):
        assert plain == 0
    else:
        assert plain > 0.5
    if "updated_at, newest first" in order:
        assert lost <= (0.05 if THOROUGH else 0.2)
    elif order.endswith("anywhere"):
        assert lost <= (0.01 if THOROUGH else 0.1)
    else:
        assert lost == 0


def test_killed_between_any_two_pages_it_ends_the_same(tmp_path: Path) -> None:
    """Stopped after every page, a busy listing goes on, in whichever pass it was."""
    put_new_state(tmp_path)
    clock = [datetime(2026, 11, 20, tzinfo=UTC)]
    with Store.open("sqlite:///state.db", tmp_path, lambda: clock[0]) as store:
        api = MovingApi("offset by updated_at, newest first", Random(7))
        for _ in range(60):
            api.make()
        api.begin()
        desk = Desk(store, clock, "main", api, Paging.UNSTABLE)
        runs: list[Run] = []
        while not runs or runs[-1].status == "running":
            desk.step()
            runs.append(store.runs.recent(1)[0])
        assert runs[-1].pages == api.served  # none was fetched again
        assert (runs[-1].status, runs[-1].resumes) == ("succeeded", len(runs) - 1)
        assert runs[-1].passes > 1
        assert api.stood <= desk.held()
