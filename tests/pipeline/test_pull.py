"""Pulling: checkpoints, restarts, quarantine, disputes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from zimun_sync.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    NotFound,
    PageTokenExpired,
    SourceUnavailable,
)
from zimun_sync.events import DisputeSettled, ListingRestarted, Renormalized
from zimun_sync.pipeline.report import SyncReport

Make = Callable[..., dict[str, Any]]
BAD = b'{"appointment_id": "a_bad", "appointment_time": "2026-12-01T09:45:00"}'


@pytest.fixture(autouse=True)
def thirty(bench: Any, make_appointment: Make) -> None:
    """Three pages of ten appointments."""
    bench.api.put("appointments", *(make_appointment(number) for number in range(30)))


def _run(report: SyncReport, stream: str = "appointments") -> Any:
    return next(run for run in report.runs if run.stream == stream)


def test_every_record_of_every_stream_arrives(bench: Any) -> None:
    report = bench.sync()
    assert (report.status, report.exit_code) == ("succeeded", 0)
    assert len(bench.sink.keys()) == 30
    assert bench.sink.keys("locations") == {"l_1"}
    assert _run(report).pages == 3


def test_an_unchanged_source_calls_no_sink(bench: Any) -> None:
    bench.sync()
    before = len(bench.sink.batches), bench.sink.opened
    report = bench.sync()
    assert _run(report).changed == 0
    assert (len(bench.sink.batches), bench.sink.opened) == before


def test_a_failed_listing_goes_on_at_its_checkpoint(bench: Any) -> None:
    bench.api.fail("appointments", "20", SourceUnavailable("Gone.", hint="Wait."))
    first = bench.sync()
    assert (first.status, first.exit_code) == ("failed", 1)
    assert _run(first).error == "Gone."
    assert len(bench.sink.keys()) == 20
    bench.api.calls.clear()
    second = bench.sync()
    assert bench.api.tokens_of("appointments") == ["20"]
    assert _run(second).resumes == 1
    assert _run(second).records == 30
    assert len(bench.sink.keys()) == 30


def test_full_lists_from_the_first_page_whatever_is_unfinished(bench: Any) -> None:
    bench.api.fail("appointments", "20", SourceUnavailable("Gone."))
    bench.sync()
    bench.api.calls.clear()
    bench.sync(full=True)
    assert bench.api.tokens_of("appointments") == [None, "10", "20"]


def test_other_listing_parameters_start_again(bench: Any) -> None:
    bench.api.fail("appointments", "20", SourceUnavailable("Gone."))
    bench.sync()
    bench.api.calls.clear()
    bench.api.page_size = 15
    bench.sync()
    assert bench.api.tokens_of("appointments") == [None, "15"]


def test_an_expired_page_token_starts_the_listing_again(bench: Any) -> None:
    bench.api.fail("appointments", "20", PageTokenExpired("Too old."))
    report = bench.sync()
    assert bench.api.tokens_of("appointments") == [None, "10", "20", None, "10", "20"]
    assert (_run(report).status, _run(report).restarts) == ("succeeded", 1)
    assert len(bench.of(ListingRestarted)) == 1


def test_a_token_that_always_expires_fails_the_run(bench: Any) -> None:
    bench.api.fail("appointments", "10", *(PageTokenExpired("Too old.") for _ in range(9)))
    run = _run(bench.sync())
    assert (run.status, run.restarts) == ("failed", 3)


def test_page_tokens_in_a_circle_fail_the_run_and_the_next_one_starts_again(bench: Any) -> None:
    bench.api.next_tokens = {"20": "10"}
    run = _run(bench.sync())
    assert run.status == "failed"
    assert run.failure == "PageTokenCycle"
    bench.api.next_tokens = {}
    bench.api.calls.clear()
    assert _run(bench.sync()).status == "succeeded"
    assert bench.api.tokens_of("appointments") == [None, "10", "20"]


def test_a_process_asked_to_end_asks_for_nothing_more(bench: Any) -> None:
    bench.options.stop.set()
    assert bench.sync().interrupted
    assert bench.api.calls == []


def test_a_record_that_cannot_be_read_is_quarantined_once_and_the_rest_goes_on(
    bench: Any, make_appointment: Make
) -> None:
    bench.api.put("appointments", make_appointment(1), BAD, make_appointment(2))
    report = bench.sync()
    assert (report.status, report.exit_code) == ("partial", 3)
    assert _run(report).quarantined == 1
    assert bench.sink.keys() == {"a_00001", "a_00002"}
    bench.sync()
    (entry,) = bench.store.quarantine.entries()
    assert (entry.key, entry.code, entry.raw, entry.attempts) == ("a_bad", "naive-time", BAD, 2)


def test_a_good_version_closes_the_entry(bench: Any, make_appointment: Make) -> None:
    bench.api.put("appointments", BAD)
    bench.sync()
    bench.api.put("appointments", make_appointment(1, appointment_id="a_bad"))
    assert bench.sync().status == "succeeded"
    assert bench.store.quarantine.entries() == []


def test_an_entry_that_is_listed_no_longer_closes(bench: Any, make_appointment: Make) -> None:
    bench.api.put("appointments", BAD)
    bench.sync()
    bench.api.put("appointments", make_appointment(1))
    assert bench.sync().in_quarantine == 0


def test_a_dropped_record_stays_dropped_until_it_changes(bench: Any) -> None:
    bench.api.put("appointments", BAD)
    bench.sync()
    (entry,) = bench.store.quarantine.entries()
    bench.store.quarantine.mark(entry.id, "dropped")
    report = bench.sync()
    assert (report.status, _run(report).quarantined) == ("succeeded", 0)
    bench.api.put("appointments", BAD.replace(b"09:45", b"10:45"))
    assert bench.sync().in_quarantine == 1


def test_retrying_a_record_takes_it_in_once_it_can_be_read(bench: Any) -> None:
    bench.api.put("appointments", BAD)
    bench.sync()
    (entry,) = bench.store.quarantine.entries()
    bench.store.quarantine.mark(entry.id, "retry")
    bench.api.items["appointments"] = []
    bench.rules = type(bench.rules)({"appointments": {"starts_at": ("created_at",)}}, {})
    report = bench.sync()
    assert report.in_quarantine == 0


def test_credentials_of_another_organization_change_nothing(bench: Any) -> None:
    bench.sync()
    bench.api.put("organization", {"organization_id": "o_2"})
    bench.api.put("appointments")
    report = bench.sync()
    assert _run(report, "organization").failure == "WrongOrganization"
    assert [run.stream for run in report.runs] == ["organization"]
    assert len(bench.sink.keys()) == 30


def test_a_stream_the_api_does_not_offer_is_noted_and_left_out(bench: Any) -> None:
    bench.api.items["resources"] = None
    report = bench.sync()
    assert _run(report, "resources").status == "not_offered"
    assert report.status == "succeeded"


def test_appointments_not_offered_is_a_failure(bench: Any) -> None:
    bench.api.items["appointments"] = None
    assert bench.sync().status == "failed"


@pytest.mark.parametrize("error", [SourceUnavailable("Gone."), AuthenticationFailed("No.")])
def test_a_source_that_lets_nobody_in_is_not_asked_six_times(
    bench: Any, make_api: Any, make_appointment: Make, error: Any
) -> None:
    other = make_api()
    other.put("appointments", make_appointment(7))
    bench.api.fail("organization", None, error)
    bench.sync(other=other)
    assert len(bench.api.calls) == 1
    assert ("other", "appointments", "a_00007") in bench.sink.rows


def test_one_failing_stream_does_not_stop_the_others(bench: Any) -> None:
    bench.api.fail("services", None, MalformedAnswer("Not JSON."))
    report = bench.sync()
    assert report.status == "failed"
    assert len(bench.sink.keys()) == 30


def test_repeated_records_count_once(bench: Any, make_appointment: Make) -> None:
    bench.api.put("appointments", *([make_appointment(1)] * 15))
    report = bench.sync()
    assert (_run(report).records, _run(report).changed) == (15, 1)


def test_an_older_version_never_overwrites_a_newer_one(bench: Any, make_appointment: Make) -> None:
    newer = make_appointment(1, status="cancelled", updated_at="2026-11-19T00:00:00Z")
    bench.api.put("appointments", newer, make_appointment(1))
    bench.sync()
    assert bench.sink.rows["main", "appointments", "a_00001"]["status"] == "cancelled"


def test_a_listing_that_contradicts_the_store_is_settled_by_id(
    bench: Any, make_appointment: Make
) -> None:
    bench.api.put("appointments", make_appointment(1, updated_at="2026-11-19T00:00:00Z"))
    bench.sync()
    bench.api.move_on()
    undone = make_appointment(1, status="held", updated_at="2026-11-10T00:00:00Z")
    bench.api.put("appointments", undone)
    bench.sync()
    assert bench.api.by_id_calls == ["a_00001"]
    assert bench.sink.rows["main", "appointments", "a_00001"]["status"] == "held"
    assert len(bench.of(DisputeSettled)) == 1
    bench.sync()
    assert bench.api.by_id_calls == ["a_00001"]


def test_a_dispute_over_a_record_gone_by_now_changes_nothing(
    bench: Any, make_appointment: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.api.put("appointments", make_appointment(1, updated_at="2026-11-19T00:00:00Z"))
    bench.sync()
    bench.api.move_on()

    def gone(_stream: str, key: str) -> None:
        raise NotFound(f"No {key}.")

    monkeypatch.setattr(bench.api, "record", gone)
    bench.api.put("appointments", make_appointment(1, status="held"))
    assert bench.sync().status == "succeeded"
    assert bench.sink.rows["main", "appointments", "a_00001"]["status"] == "confirmed"


def test_streams_without_by_id_take_the_later_listing(bench: Any) -> None:
    service = {"service_id": "s_1", "name": "Cut", "updated_at": "2026-11-19T00:00:00Z"}
    bench.api.put("services", service)
    bench.sync()
    bench.api.move_on()
    bench.api.put("services", service | {"name": "Trim", "updated_at": "2026-11-01T00:00:00Z"})
    bench.sync()
    assert bench.sink.rows["main", "services", "s_1"]["name"] == "Trim"


def test_a_location_that_moves_to_another_zone_moves_its_local_times(bench: Any) -> None:
    bench.sync()
    before = bench.sink.rows["main", "appointments", "a_00003"]
    bench.api.put("locations", {"location_id": "l_1", "timezone": "Europe/London"})
    bench.sync()
    after = bench.sink.rows["main", "appointments", "a_00003"]
    assert (before["local_start"].hour, after["local_start"].hour) == (9, 8)
    assert before["starts_at"] == after["starts_at"]
    assert [event.changed for event in bench.of(Renormalized)] == [30]


def test_a_location_abroad_is_complete_when_it_is_listed_first(bench: Any) -> None:
    abroad = {"location_id": "l_1", "address": {"country": "FR"}, "phone": "01 44 55 66 77"}
    bench.api.put("organization", {"organization_id": "o_1", "country": "DE"})
    bench.api.put("locations", abroad)
    bench.sync()
    assert bench.sink.rows["main", "locations", "l_1"]["phone"] == "+33144556677"
    assert [run.changed for run in bench.sync().runs if run.stream == "locations"] == [0]
    assert bench.of(Renormalized) == []


def test_an_interrupted_sync_goes_on_later(bench: Any) -> None:
    original = bench.api.page

    def page_then_stop(stream: str, page_token: str | None = None, params: Any = None) -> Any:
        if page_token == "10":
            bench.options.stop.set()
        return original(stream, page_token, params)

    bench.api.page = page_then_stop
    report = bench.sync()
    assert (report.status, report.interrupted, report.exit_code) == ("failed", True, 1)
    bench.options.stop.clear()
    bench.api.page = original
    assert _run(bench.sync()).records == 30
    assert len(bench.sink.keys()) == 30


def test_a_source_with_a_filter_lists_what_changed_since_shortly_before_the_last_listing(
    bench: Any, make_appointment: Make
) -> None:
    bench.api.filters = True
    bench.api.put("appointments", make_appointment(1), BAD)
    bench.sync()
    assert bench.api.params[-1] == {}
    asked = bench.api.now
    bench.api.put("appointments", make_appointment(2))
    report = bench.sync()
    since = datetime.fromisoformat(bench.api.params[-1]["updated_since"])
    assert asked - timedelta(minutes=10, seconds=1) < since <= asked - timedelta(minutes=10)
    assert bench.sink.keys() == {"a_00001", "a_00002"}
    assert report.in_quarantine == 1  # not listed again, so nothing is known of it
    bench.sync(full=True)
    assert bench.api.params[-1] == {}
