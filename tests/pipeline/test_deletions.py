"""Deleting what is gone: after a complete listing, on proof, with a brake."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zimun_sync.errors import NotFound, ScopeMissing, SourceUnavailable
from zimun_sync.events import DeletionsChecked, DeletionsHeld
from zimun_sync.pipeline.report import SyncReport
from zimun_sync.store import MissingState, RunStatus, Store

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def lists(bench: Any, make_appointment: Make) -> Callable[..., None]:
    """Set which appointments the API lists, and which more it still knows by id."""

    def set_(*numbers: int, unlisted: tuple[int, ...] = ()) -> None:
        bench.api.put("appointments", *(make_appointment(number) for number in numbers))
        bench.api.unlisted = [make_appointment(number) for number in unlisted]

    set_(*range(30))
    return set_


def _run(report: SyncReport, stream: str = "appointments") -> Any:
    return next(run for run in report.runs if run.stream == stream)


def _gone(bench: Any) -> set[str]:
    kept: set[str] = bench.sink.keys()
    return {f"a_{number:05d}" for number in range(30)} - kept


def test_a_removed_record_leaves_every_sink_after_the_next_complete_listing(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(29))
    report = bench.sync()
    assert (_run(report).tombstoned, report.status) == (1, "succeeded")
    assert _gone(bench) == {"a_00029"}
    assert bench.api.by_id_calls == ["a_00028", "a_00029"]  # a witness, then the missing one


def test_it_is_deleted_once(bench: Any, lists: Callable[..., None]) -> None:
    bench.sync()
    lists(*range(29))
    bench.sync()
    bench.api.by_id_calls.clear()
    report = bench.sync()
    assert (_run(report).tombstoned, bench.api.by_id_calls) == (0, [])


def test_a_record_that_comes_back_is_taken_in_again(bench: Any, lists: Callable[..., None]) -> None:
    bench.sync()
    lists(*range(29))
    bench.sync()
    lists(*range(30))
    bench.api.now = datetime.now(UTC) + timedelta(hours=1)
    bench.sync()
    assert _gone(bench) == set()


def test_a_record_that_drifted_between_pages_is_still_there(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(29), unlisted=(29,))
    report = bench.sync()
    assert (_run(report).tombstoned, _gone(bench)) == (0, set())
    assert bench.of(DeletionsChecked)[-1].present == 1


def test_what_answers_by_id_is_brought_up_to_date(
    bench: Any, lists: Callable[..., None], make_appointment: Make
) -> None:
    bench.sync()
    lists(*range(29))
    newer = make_appointment(29, notes="moved", updated_at="2026-11-05T00:00:00Z")
    bench.api.unlisted = [newer]
    bench.sync()
    assert bench.sink.rows["main", "appointments", "a_00029"]["notes"] == "moved"


def test_half_a_listing_deletes_nothing_until_a_person_approves(
    bench: Any, lists: Callable[..., None], store: Store
) -> None:
    bench.sync()
    lists(*range(15))
    report = bench.sync()
    run = _run(report)
    assert (run.status, report.status, report.exit_code) == (
        RunStatus.NEEDS_ATTENTION,
        "partial",
        3,
    )
    assert run.error == "The listing of appointments lacks 15 of 30 records. Nothing was deleted."
    assert f"zimun-sync approve {run.run_id}" in run.hint
    assert bench.api.by_id_calls == []  # stopped before any request
    assert bench.of(DeletionsHeld)[0].missing == 15
    assert _gone(bench) == set()
    assert store.missing.approve(run.run_id) == 15
    bench.sync()
    assert len(_gone(bench)) == 15


def test_the_brake_holds_every_night_until_someone_looks(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(15))
    bench.sync()
    assert _run(bench.sync()).status == RunStatus.NEEDS_ATTENTION
    assert _gone(bench) == set()


def test_an_empty_listing_deletes_nothing(bench: Any, lists: Callable[..., None]) -> None:
    lists(0, 1, 2)
    bench.sync()
    lists()
    run = _run(bench.sync())
    assert run.status == RunStatus.NEEDS_ATTENTION
    assert run.error.startswith("The listing of appointments is empty, while 3 are held.")
    assert len(bench.sink.keys()) == 3


def test_a_source_that_was_always_empty_is_fine(bench: Any, lists: Callable[..., None]) -> None:
    lists()
    assert bench.sync().status == "succeeded"


def test_nothing_is_deleted_where_listed_records_do_not_answer_by_id(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(29))
    bench.api.on_record = _raising(NotFound("No such path."))
    run = _run(bench.sync())
    assert run.status == RunStatus.NEEDS_ATTENTION
    assert "answers by id" in run.error
    assert "paths" in run.hint
    assert (_gone(bench), len(bench.api.by_id_calls)) == (set(), 3)


def test_nothing_is_deleted_where_asking_is_refused(bench: Any, lists: Callable[..., None]) -> None:
    bench.sync()
    lists(*range(29))
    bench.api.on_record = _raising(ScopeMissing("No scope.", hint="Add the scope."))
    run = _run(bench.sync())
    assert (run.status, run.hint) == (RunStatus.NEEDS_ATTENTION, "Add the scope.")
    assert _gone(bench) == set()


def test_what_could_not_be_asked_for_waits_for_the_next_run(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(25))

    def flaky(key: str) -> None:
        if key > "a_00026":
            raise SourceUnavailable("Later.")

    bench.api.on_record = flaky
    report = bench.sync()
    assert (_run(report).status, _run(report).tombstoned) == (RunStatus.SUCCEEDED, 2)
    assert bench.of(DeletionsChecked)[-1].waiting == 3
    bench.api.on_record = lambda _key: None
    bench.sync()
    assert len(_gone(bench)) == 5


def test_requests_by_id_are_capped_and_the_rest_carried_over(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    bench.checks = 2
    lists(*range(25))
    assert [_run(bench.sync()).tombstoned for _ in range(4)] == [2, 2, 1, 0]
    assert len(_gone(bench)) == 5


def test_a_stream_without_by_id_needs_two_complete_listings(bench: Any, store: Store) -> None:
    bench.api.put("services", *({"service_id": f"s_{number}"} for number in range(3)))
    bench.sync()
    bench.api.put("services", {"service_id": "s_0"}, {"service_id": "s_1"})
    assert _run(bench.sync(), "services").tombstoned == 0
    assert bench.sink.keys("services") == {"s_0", "s_1", "s_2"}
    assert _run(bench.sync(), "services").tombstoned == 1
    assert bench.sink.keys("services") == {"s_0", "s_1"}
    assert store.missing.count("main", "services", MissingState.ONCE) == 0


def test_an_incremental_listing_deletes_nothing(bench: Any, lists: Callable[..., None]) -> None:
    bench.sync()
    bench.api.filters = True
    lists(1)
    assert _run(bench.sync()).status == RunStatus.SUCCEEDED
    assert _gone(bench) == set()


def test_an_interrupted_check_goes_on_with_the_next_sync(
    bench: Any, lists: Callable[..., None]
) -> None:
    bench.sync()
    lists(*range(25))
    stop = bench.options.stop

    def ask(key: str) -> None:
        if key == "a_00027":
            stop.set()

    bench.api.on_record = ask
    assert bench.sync().interrupted
    bench.api.on_record = lambda _key: None
    stop.clear()
    pages = len(bench.api.calls)
    report = bench.sync()
    assert len(_gone(bench)) == 5
    assert _run(report).resumes == 1
    assert bench.api.calls[pages:].count(("appointments", None)) == 0  # not listed again


def _raising(error: Exception) -> Callable[[str], None]:
    def fail(_key: str) -> None:
        raise error

    return fail
