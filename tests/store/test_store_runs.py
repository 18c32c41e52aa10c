import pytest

from tests.store.conftest import SOURCE, STREAM, Listing, State, record, refusal, start
from zimun_sync.store import Lease, Run, RunStatus, Store
from zimun_sync.store.runs import RESUME_WITHIN_SECONDS


@pytest.fixture
def unfinished(listing: Listing) -> Run:
    """A run whose process ended after its first page."""
    return listing.page(record("a"), token="t2").run


def test_a_new_run_has_done_nothing_yet(listing: Listing) -> None:
    run = listing.run
    assert (run.source, run.stream, run.status) == (SOURCE, STREAM, RunStatus.RUNNING)
    assert (run.page_token, run.finished_at, run.listing_requested_at) == (None, None, None)
    assert (run.pages, run.records, run.changed, run.quarantined, run.resumes) == (0, 0, 0, 0, 0)
    assert run.run_id.startswith("20261120T030000-")
    assert not run.listing_complete


def test_an_unfinished_run_is_resumed_at_its_checkpoint(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    run = start(store, lease, fresh=False).run
    assert (run.run_id, run.page_token, run.pages, run.resumes) == (unfinished.run_id, "t2", 1, 1)
    assert run.status == RunStatus.RUNNING


def test_a_failed_run_is_resumed_and_its_trouble_forgotten(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    failed = Listing(store, lease, unfinished).fail()
    assert (failed.failure, failed.error, failed.hint) == (
        "SourceUnavailable",
        "It is down.",
        "Wait.",
    )
    assert failed.finished_at is not None
    run = start(store, lease, fresh=False).run
    assert (run.run_id, run.page_token, run.status) == (failed.run_id, "t2", RunStatus.RUNNING)
    assert (run.failure, run.error, run.hint, run.finished_at) == (None, None, None, None)


def test_a_run_that_was_killed_after_its_last_page_only_has_to_be_finished(
    store: Store, lease: Lease, listing: Listing
) -> None:
    listing.page(record("a"), token=None)
    assert start(store, lease, fresh=False).run.listing_complete


def test_a_fresh_run_gives_up_the_unfinished_one(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    run = start(store, lease, fresh=True).run
    assert (run.pages, run.page_token) == (0, None)
    given_up = store.runs.get(unfinished.run_id)
    assert given_up.status == RunStatus.SUPERSEDED
    assert given_up.finished_at is not None


def test_a_token_of_other_parameters_is_not_used(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    run = store.runs.begin(lease, SOURCE, STREAM, "other parameters")
    assert (run.pages, run.page_token, run.parameters) == (0, None, "other parameters")
    assert store.runs.get(unfinished.run_id).status == RunStatus.SUPERSEDED


@pytest.mark.parametrize(("later", "resumed"), [(-1, True), (1, False)])
def test_a_run_is_resumed_while_its_pages_are_recent(
    state: State, store: Store, lease: Lease, unfinished: Run, later: int, resumed: bool
) -> None:
    state.clock.forward(RESUME_WITHIN_SECONDS + later)
    run = start(store, lease, fresh=False).run
    assert (run.run_id == unfinished.run_id) is resumed


def test_a_run_that_stored_no_page_is_not_resumed(
    store: Store, lease: Lease, listing: Listing
) -> None:
    assert start(store, lease, fresh=False).run.run_id != listing.run.run_id
    assert store.runs.get(listing.run.run_id).status == RunStatus.SUPERSEDED


def test_a_run_that_succeeded_is_over(store: Store, lease: Lease, listing: Listing) -> None:
    listing.page(record("a"), token=None)
    done = listing.succeed()
    assert done.status == RunStatus.SUCCEEDED
    assert start(store, lease, fresh=False).run.run_id != done.run_id
    assert store.runs.get(done.run_id) == done


def test_a_listing_that_starts_again_keeps_what_it_changed(
    store: Store, lease: Lease, listing: Listing
) -> None:
    run = listing.page(record("a"), refused=[refusal("b")], token="t2", asked_at=5).run
    for restarts in (1, 2):
        again = store.runs.restart_listing(lease, run)
        assert (again.pages, again.records, again.quarantined, again.page_token) == (0, 0, 0, None)
        assert (again.changed, again.restarts) == (1, restarts)
    listing.run = again
    first = listing.page(record("a"), token=None, asked_at=9).run
    assert (first.pages, first.records, first.changed) == (1, 1, 1)
    assert first.listing_requested_at == 9


def test_streams_have_runs_of_their_own(store: Store, lease: Lease, unfinished: Run) -> None:
    other = store.runs.begin(lease, SOURCE, "staff", "p")
    assert other.run_id != unfinished.run_id
    assert store.runs.get(unfinished.run_id).status == RunStatus.RUNNING


def test_what_ran_last(store: Store, lease: Lease, listing: Listing) -> None:
    assert store.runs.last_success(SOURCE, STREAM) is None
    assert store.runs.latest(SOURCE, "staff") is None
    first = listing.succeed()
    second = start(store, lease).fail()
    third = start(store, lease).fail(RunStatus.NOT_OFFERED)
    assert store.runs.latest(SOURCE, STREAM) == third
    assert store.runs.last_success(SOURCE, STREAM) == first
    assert store.runs.recent() == [third, second, first]
    assert store.runs.recent(limit=1) == [third]
