from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.store.conftest import (
    SOURCE,
    STREAM,
    Listing,
    State,
    Ticking,
    record,
    refusal,
    rows,
    start,
)
from zimun_sync.errors import ConfigError, LeaseLost, SourceUnavailable
from zimun_sync.model import to_micros
from zimun_sync.store import LEASE_SECONDS, Lease, Run, RunStatus, Store
from zimun_sync.store.run import FIRST_PAGE
from zimun_sync.store.runs import RESUME_WITHIN_SECONDS
from zimun_sync.store.schema import seen


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
    run = store.runs.begin(lease, SOURCE, STREAM, "p")
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


def test_another_pass_lists_everything_again_and_knows_what_came(
    store: Store, lease: Lease, listing: Listing, clock: Ticking
) -> None:
    listing.page(record("a"), token="t2")
    run = listing.page(record("b"), refused=[refusal("c")], token=None, asked_at=5).run
    again = store.runs.begin_pass(lease, run)
    assert (again.passes, again.pass_pages, again.page_token) == (2, 0, None)
    assert (again.records, again.quarantined) == (0, 0)
    assert (again.pages, again.changed, again.listing_requested_at) == (2, 2, 0)
    assert again.updated_at == to_micros(clock.now)
    assert not again.listing_complete
    found = store.runs.note_found_late(lease, again, 7)
    assert found == replace(again, found_late=7) == store.runs.get(run.run_id)


def test_a_pass_backward_reads_the_pages_of_the_one_before(
    store: Store, lease: Lease, listing: Listing
) -> None:
    for token in ("t2", "t3", "t4", None):
        listing.page(record(f"a{token}"), token=token)
    run = store.runs.begin_pass(lease, listing.run, 1)
    assert (run.passes, run.place, run.page_token, run.records) == (2, 3, "t4", 4)
    assert run.reads_backward
    assert store.runs.way_back(lease, run) == ["t4", "t3", "t2"]
    listing.run = run
    run = listing.page(record("aNone"), token="t3").run
    assert (run.place, run.records) == (2, 4)  # counted on the way forward
    assert store.runs.way_back(lease, run) == ["t3", "t2"]
    whole = store.runs.begin_pass(lease, store.runs.begin_pass(lease, run), 0)
    assert not whole.reads_backward  # nothing was stored of the pass before


def test_a_pass_backward_ends_with_the_page_that_has_no_token(
    store: Store, lease: Lease, listing: Listing
) -> None:
    listing.page(record("a"), token="t2")
    listing.page(record("b"), token=None)
    run = store.runs.begin_pass(lease, listing.run, 0)
    assert store.runs.way_back(lease, run) == ["t2", FIRST_PAGE]
    listing.run = run
    assert not listing.page(record("b"), token=FIRST_PAGE).run.listing_complete
    assert listing.page(record("a"), token=None).run.listing_complete


def test_nobody_goes_on_backward_whose_lease_was_taken_over(
    store: Store, lease: Lease, listing: Listing, clock: Ticking
) -> None:
    listing.page(record("a"), token="t2")
    listing.page(record("b"), token=None)
    run = store.runs.begin_pass(lease, listing.run, 0)
    clock.now += timedelta(seconds=LEASE_SECONDS + 1)
    other = store.leases.acquire(lease.name)
    store.runs.succeed(other, run, listed_everything=True)  # and what its pages brought is let go
    with pytest.raises(LeaseLost):
        store.runs.way_back(lease, run)


def test_after_a_token_expired_no_pass_goes_backward(
    store: Store, lease: Lease, listing: Listing
) -> None:
    listing.page(record("a"), token="t2")
    listing.run = store.runs.restart_listing(lease, listing.run)
    listing.page(record("a"), token="t2")
    listing.page(record("b"), token=None)
    again = store.runs.begin_pass(lease, listing.run, 0)
    assert (again.reads_backward, again.page_token, again.passes) == (False, None, 2)


def test_a_pass_that_starts_again_keeps_what_the_passes_before_it_brought(
    store: Store, lease: Lease, listing: Listing, clock: Ticking
) -> None:
    listing.page(record("a"), token=None, asked_at=5)
    listing.run = store.runs.begin_pass(lease, listing.run)
    listing.page(record("b"), token="t2", asked_at=9)
    again = store.runs.restart_listing(lease, listing.run)
    assert (again.pages, again.pass_pages, again.records, again.page_token) == (2, 0, 0, None)
    assert (again.restarts, again.passes, again.listing_requested_at) == (1, 2, 5)
    assert again.updated_at == to_micros(clock.now)
    assert [row["page"] for row in rows(store, seen)] == [0, 1]


@pytest.mark.parametrize(
    ("status", "kept"),
    [(RunStatus.FAILED, 1), (RunStatus.NEEDS_ATTENTION, 0), (RunStatus.NOT_OFFERED, 0)],
)
def test_what_a_run_saw_is_kept_while_it_can_be_resumed(
    store: Store, listing: Listing, status: RunStatus, kept: int
) -> None:
    listing.page(record("a"))
    listing.fail(status)
    assert len(rows(store, seen)) == kept


def test_what_a_run_saw_is_let_go_once_it_is_of_no_use(store: Store, lease: Lease) -> None:
    for end in (
        lambda run: start(store, lease),
        lambda run: store.runs.succeed(lease, run, listed_everything=True),
        lambda run: store.runs.restart_listing(lease, run),
    ):
        listing = start(store, lease)
        run = listing.page(record("a")).run
        assert len(rows(store, seen)) == 1
        end(run)
        assert rows(store, seen) == []


def test_a_person_approves_a_run_that_needed_attention(
    store: Store, listing: Listing, clock: Ticking
) -> None:
    listing.page(record("a"), token=None)
    held = listing.fail(RunStatus.NEEDS_ATTENTION)
    assert (held.finished_at, held.updated_at) == (to_micros(clock.now), to_micros(clock.now))
    approved = store.runs.approve(held.run_id)
    assert (approved.status, approved.failure, approved.error, approved.hint) == (
        (RunStatus.SUCCEEDED, None, None, None)
    )
    assert approved.finished_at == to_micros(clock.now)
    assert approved.finished_at > held.updated_at
    assert store.runs.last_success(SOURCE, STREAM) == approved


def test_approval_closes_what_the_listing_no_longer_brought(
    store: Store, lease: Lease, clock: Ticking
) -> None:
    former = start(store, lease)
    former.page(refused=[refusal("gone"), refusal("there")], token=None)
    former.fail(RunStatus.NEEDS_ATTENTION)
    held = start(store, lease)
    held.page(refused=[refusal("there")], token=None)
    run = held.fail(RunStatus.NEEDS_ATTENTION)
    later = start(store, lease)  # which somebody began before they looked at the one before
    later.page(refused=[refusal("new")], token="t2")
    store.runs.approve(run.run_id)
    assert {entry.key for entry in store.quarantine.entries()} == {"there", "new"}


def test_trouble_without_a_hint_leaves_none(listing: Listing) -> None:
    trouble = SourceUnavailable("It is down.")
    run = listing.store.runs.finish(listing.lease, listing.run, RunStatus.FAILED, trouble)
    assert (run.error, run.hint) == ("It is down.", None)


def test_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(ConfigError, match="There is no run 'x'") as refused:
        store.runs.get("x")
    assert "zimun-sync runs" in refused.value.hint


def test_a_run_that_is_taken_up_again_is_recent_again(
    state: State, store: Store, lease: Lease, unfinished: Run
) -> None:
    for resumes in (1, 2):
        state.clock.forward(RESUME_WITHIN_SECONDS - 1)
        run = start(store, lease, fresh=False).run
        assert (run.run_id, run.resumes) == (unfinished.run_id, resumes)
        assert run.updated_at == to_micros(state.clock.now)


def test_a_run_that_failed_stays_failed_when_another_begins(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    failed = Listing(store, lease, unfinished).fail()
    start(store, lease, fresh=True)
    assert store.runs.get(failed.run_id) == failed


def test_after_the_clock_was_set_back_the_latest_run_is_the_one_that_began_last(
    state: State, store: Store, lease: Lease
) -> None:
    kept = start(store, lease).succeed()
    state.clock.forward(3600)
    store.add_source("elsewhere")
    theirs = store.runs.begin(store.leases.acquire("source:elsewhere"), "elsewhere", STREAM, "p")
    other = store.runs.begin(lease, SOURCE, "staff", "p")
    ended = start(store, lease).succeed()
    state.clock.forward(5)
    under_way = start(store, lease).run
    state.clock.forward(-1800)
    latest = start(store, lease).run
    assert store.runs.latest(SOURCE, STREAM) == latest
    services = [run.run_id for run in store.runs.recent(source=SOURCE) if run.stream == STREAM]
    assert services == [run.run_id for run in (latest, under_way, ended, kept)]
    assert store.runs.get(kept.run_id) == kept
    assert (store.runs.get(other.run_id), store.runs.get(theirs.run_id)) == (other, theirs)
    before = latest.started_at - 1
    dated = store.runs.get(ended.run_id)
    assert (dated.started_at, dated.finished_at) == (before, before)
    given_up = store.runs.get(under_way.run_id)
    assert (given_up.started_at, given_up.status) == (before, RunStatus.SUPERSEDED)


def test_a_run_that_ended_after_the_clock_was_set_back_ended_then(
    state: State, store: Store, lease: Lease
) -> None:
    state.clock.forward(3600)
    listing = start(store, lease)
    state.clock.forward(-1800)
    ended = listing.succeed()
    state.clock.forward(60)
    latest = start(store, lease).run
    assert store.runs.latest(SOURCE, STREAM) == latest
    assert store.runs.get(ended.run_id).finished_at == ended.finished_at


def test_runs_are_looked_up_by_source_stream_and_status(
    store: Store, lease: Lease, listing: Listing
) -> None:
    store.add_source("other")
    theirs = store.leases.acquire("source:other")
    elsewhere = store.runs.begin(theirs, "other", STREAM, "p")
    elsewhere = store.runs.succeed(theirs, elsewhere, listed_everything=True)
    staff = store.runs.begin(lease, SOURCE, "staff", "p")
    staff = store.runs.succeed(lease, staff, listed_everything=True)
    assert store.runs.last_success(SOURCE, STREAM) is None
    done = listing.succeed()
    later = start(store, lease).succeed()
    failed = start(store, lease).fail()
    assert store.runs.last_success(SOURCE, STREAM) == later
    assert store.runs.recent(source="other") == [elsewhere]
    assert store.runs.recent(status="failed") == [failed]
    assert store.runs.recent(source=SOURCE, status="succeeded") == [later, staff, done]


def test_sources_and_streams_have_runs_of_their_own(
    store: Store, lease: Lease, unfinished: Run
) -> None:
    store.add_source("elsewhere")
    theirs = store.leases.acquire("source:elsewhere")
    for held, source, stream in ((lease, SOURCE, "staff"), (theirs, "elsewhere", STREAM)):
        other = store.runs.begin(held, source, stream, "p")
        assert other.run_id != unfinished.run_id
        assert store.runs.latest(source, stream) == other
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
