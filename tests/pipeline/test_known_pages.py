"""Items that the last listing had with the same bytes need no work, and hide nothing."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.conftest import Bench, appointment
from tests.pipeline.test_inbox import Mail
from tests.states import put_new_state
from zimun_sync.errors import StoreError
from zimun_sync.events import FieldAppeared
from zimun_sync.normalize import Rules, normalize_items
from zimun_sync.store import Store

RECORDS = 25
LATER = "2026-11-19T{:02}:00:00Z"


@pytest.fixture(autouse=True)
def three_pages(bench: Bench) -> None:
    """Two full pages of ten appointments, and one of five."""
    bench.api.put("appointments", *(appointment(number) for number in range(RECORDS)))


@pytest.fixture
def normalized(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many appointments were normalized, page by page."""
    counts: list[int] = []

    def counted(items: Any, normalizer: Any) -> Any:
        if normalizer.stream.name == "appointments":
            counts.append(len(items))
        return normalize_items(items, normalizer)

    monkeypatch.setattr("zimun_sync.pipeline.normalizing.normalize_items", counted)
    return counts


def _send(bench: Bench, record: dict[str, Any]) -> None:
    mail = Mail(bench)
    mail.send(record)
    mail.apply()
    bench.store.leases.release(mail.source.lease)


def test_an_unchanged_source_is_not_normalized_again(bench: Bench, normalized: list[int]) -> None:
    first = bench.sync()
    assert normalized == [10, 10, 5]
    normalized.clear()
    second = bench.sync()
    assert normalized == []
    counts = [(run.pages, run.records) for run in (*first.runs, *second.runs)]
    assert counts[: len(counts) // 2] == counts[len(counts) // 2 :]


def test_only_the_record_that_changed_is(bench: Bench, normalized: list[int]) -> None:
    bench.sync()
    normalized.clear()
    changed = [appointment(number) for number in range(RECORDS)]
    changed[12] = appointment(12, status="cancelled", updated_at=LATER.format(1))
    bench.api.put("appointments", *changed)
    bench.sync()
    assert normalized == [1]
    assert bench.sink.rows["main", "appointments", "a_00012"]["status"] == "cancelled"


def test_a_record_that_cannot_be_read_is_looked_at_each_time_and_no_other(
    bench: Bench, normalized: list[int]
) -> None:
    records = [appointment(number) for number in range(RECORDS)]
    records[4] |= {"appointment_time": "2026-12-01T09:45:00"}
    bench.api.put("appointments", *records)
    bench.sync()
    for attempts in (2, 3):
        normalized.clear()
        report = bench.sync()
        assert normalized == [1]
        assert (report.runs[-1].records, report.runs[-1].quarantined) == (RECORDS, 1)
        assert [each.attempts for each in bench.store.quarantine.entries()] == [attempts]


def test_a_page_that_lost_a_record_keeps_the_others(bench: Bench, normalized: list[int]) -> None:
    bench.sync()
    normalized.clear()
    records = [appointment(number) for number in range(RECORDS) if number != 22]
    bench.api.put("appointments", *records)
    bench.sync()
    assert sum(normalized) == 0
    assert "a_00022" not in {key for _, _, key in bench.sink.rows}
    bench.sync()
    assert sum(normalized) == 0


def test_a_record_that_a_webhook_changed_since_is_compared(
    bench: Bench, normalized: list[int]
) -> None:
    bench.sync()
    _send(bench, appointment(3, status="cancelled", updated_at=LATER.format(1)))
    normalized.clear()
    bench.api.move_on()
    bench.sync()  # the listing still shows what was: the API is asked by id
    assert normalized == [10]
    assert bench.api.by_id_calls == ["a_00003"]
    assert bench.sink.rows["main", "appointments", "a_00003"]["status"] == "confirmed"


def test_a_listing_that_lagged_behind_is_asked_about_again(bench: Bench) -> None:
    _send(bench, appointment(3, status="cancelled", updated_at=LATER.format(1)))
    bench.sync()  # an older version, asked for before the webhook was stored: only a late one
    assert bench.sink.rows["main", "appointments", "a_00003"]["status"] == "cancelled"
    bench.api.move_on()
    bench.sync()
    assert bench.api.by_id_calls == ["a_00003"]
    assert bench.sink.rows["main", "appointments", "a_00003"]["status"] == "confirmed"


def test_a_record_with_a_bad_version_in_quarantine_is_looked_at(bench: Bench) -> None:
    bench.sync()
    _send(bench, appointment(3, appointment_time="2026-12-01T09:45:00"))
    assert [entry.key for entry in bench.store.quarantine.entries()] == ["a_00003"]
    bench.sync()
    assert bench.store.quarantine.entries() == []


def test_an_older_version_on_the_same_page_changes_nothing(bench: Bench) -> None:
    new = {"service_id": "s_1", "name": "Trim", "updated_at": LATER.format(2)}
    bench.api.put("services", new)
    bench.sync()
    bench.api.move_on()
    bench.api.put("services", new, new | {"name": "Cut", "updated_at": LATER.format(1)})
    for _ in range(2):
        report = bench.sync()
        assert [run.changed for run in report.runs] == [0] * len(report.runs)
        assert bench.sink.rows["main", "services", "s_1"]["name"] == "Trim"


def test_a_new_field_is_told_where_the_page_turns_out_to_have_changed(bench: Bench) -> None:
    bench.sync()
    _send(bench, appointment(3, status="cancelled", updated_at=LATER.format(1)))
    records = [appointment(number) for number in range(RECORDS)]
    records[1] |= {"loyalty": "gold", "updated_at": LATER.format(1)}
    bench.api.put("appointments", *records)
    bench.sync()
    assert [event.field for event in bench.of(FieldAppeared)] == ["loyalty"]


def test_a_new_field_is_told_after_a_crash_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.api.put("appointments", appointment(1, loyalty="gold"))

    def fail(*_: Any) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(bench.store.fields, "notice", fail)
        with pytest.raises(StoreError):
            bench.sync()
    bench.options.stop.clear()
    bench.sync()
    assert [event.field for event in bench.of(FieldAppeared)] == ["loyalty"]


def test_a_record_that_is_gone_is_missed(bench: Bench) -> None:
    bench.sync()
    bench.api.put("appointments", *(appointment(number) for number in range(RECORDS - 1)))
    bench.sync()
    assert bench.sink.keys() == {f"a_{number:05d}" for number in range(RECORDS - 1)}


def test_other_rules_reach_every_record(bench: Bench) -> None:
    bench.sync()
    bench.rules = Rules({}, {"confirmed": "completed"})
    bench.sync()
    assert {
        row["status"] for (_, stream, _), row in bench.sink.rows.items() if stream == "appointments"
    } == {"completed"}


_STEP = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, RECORDS - 1)),
    st.tuples(st.just("revert"), st.integers(0, RECORDS - 1)),
    st.tuples(st.just("webhook"), st.integers(0, RECORDS - 1)),
    st.tuples(st.just("swap"), st.integers(0, RECORDS - 1)),
    st.tuples(st.just("remove"), st.integers(0, RECORDS - 1)),
    st.tuples(st.just("sync"), st.just(0)),
)


class _World:
    """A source that changes in every way, and one sync after another of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.records = [appointment(number) for number in range(RECORDS)]
        self.former = list(self.records)
        self.hour = 0
        bench.api.put("appointments", *self.records)

    def do(self, step: str, number: int) -> None:
        """Let something happen to a record."""
        at = number % len(self.records)
        match step:
            case "edit":
                self.former[at], self.records[at] = self.records[at], self._edited(at)
            case "revert":
                self.former[at], self.records[at] = self.records[at], self.former[at]
            case "webhook":
                _send(self.bench, self._edited(at))
            case "swap":
                for listed in (self.records, self.former):
                    listed[0], listed[at] = listed[at], listed[0]
            case "remove" if len(self.records) > RECORDS - 2:
                del self.records[at], self.former[at]
            case "sync":
                self.sync()

    def _edited(self, at: int) -> dict[str, Any]:
        self.hour += 1
        told = {"notes": f"edit {self.hour}", "updated_at": LATER.format(self.hour)}
        return self.records[at] | told

    def sync(self) -> None:
        """Sync, and compare what the sink then holds with what the source lists."""
        self.bench.api.put("appointments", *self.records)
        self.bench.api.move_on()
        self.bench.sync()
        held = {
            key: (row["notes"], row["updated_at"])
            for (_, stream, key), row in self.bench.sink.rows.items()
            if stream == "appointments"
        }
        assert held == {
            each["appointment_id"]: (each.get("notes"), _instant(each)) for each in self.records
        }


def _instant(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["updated_at"])


@given(steps=st.lists(_STEP, max_size=12))
@settings(max_examples=15, deadline=None)
def test_whatever_happens_a_sync_ends_with_what_the_source_lists(steps: Any) -> None:
    with TemporaryDirectory() as folder:
        put_new_state(Path(folder))
        with Store.open("sqlite:///state.db", Path(folder)) as store:
            world = _World(Bench(store))
            world.sync()
            for step, number in steps:
                world.do(step, number)
            world.sync()
            world.sync()
