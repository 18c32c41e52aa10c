"""What /metrics shows: counted as events come, read when it is asked for, documented."""

import re
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import pytest
from msgspec.structs import fields
from prometheus_client.parser import text_string_to_metric_families

from tests.status.conftest import Bench
from zimun_sync import __version__
from zimun_sync import events as ev
from zimun_sync.errors import StoreError
from zimun_sync.status import Status, status_of
from zimun_sync.status.metrics import CONTENT_TYPE, Metrics
from zimun_sync.store import ParkKind, Received, RunStatus

DOCS = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
AT = ("main", "services", "run-1")


@pytest.fixture
def metrics(bench: Bench) -> Metrics:
    return Metrics(lambda: status_of(bench.store, bench.config), {"main"}.__contains__)


def shown(metrics: Metrics) -> dict[str, float]:
    """Every sample by name and labels, as a scraper reads it."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name.removeprefix("zimun_sync_") + (f"{{{labels}}}" if labels else "")] = (
                sample.value
            )
    return found


def listed(metrics: Metrics) -> tuple[float, ...]:
    found = shown(metrics)
    names = ("pages", "records_listed", "records_changed", "records_quarantined")
    return tuple(found[f"{name}_total{{source=main,stream=services}}"] for name in names)


def test_it_is_the_text_format(metrics: Metrics) -> None:
    assert CONTENT_TYPE.startswith("text/plain")
    assert shown(metrics)[f"build_info{{version={__version__}}}"] == 1
    assert not [name for name in shown(metrics) if name.endswith("_created")]


def test_a_listing_is_counted_by_what_its_totals_grow(metrics: Metrics) -> None:
    metrics(ev.RunStarted(*AT, resumed=False, pages=0))
    metrics(ev.PageStored(*AT, pages=1, records=10, changed=4, quarantined=1))
    metrics(ev.PageStored(*AT, pages=2, records=20, changed=4, quarantined=1))
    assert listed(metrics) == (2, 20, 4, 1)
    metrics(ev.RunFinished(*AT, "succeeded", 2, 20, 6, 1, "", ""))
    assert listed(metrics) == (2, 20, 6, 1)
    runs = {name: value for name, value in shown(metrics).items() if name.startswith("runs_total")}
    assert runs == {
        "runs_total{source=main,status=failed,stream=services}": 0,
        "runs_total{source=main,status=succeeded,stream=services}": 1,
    }


def test_a_listing_that_begins_again_goes_on_counting(metrics: Metrics) -> None:
    metrics(ev.RunStarted(*AT, resumed=False, pages=0))
    metrics(ev.PageStored(*AT, pages=1, records=10, changed=4, quarantined=1))
    metrics(ev.ListingRestarted(*AT, "its token expired"))
    metrics(ev.PageStored(*AT, pages=1, records=10, changed=4, quarantined=1))
    assert listed(metrics) == (2, 20, 4, 2)
    assert shown(metrics)["listing_restarts_total{source=main,stream=services}"] == 1


def test_a_further_pass_counts_its_records_and_what_it_found_late(metrics: Metrics) -> None:
    metrics(ev.RunStarted(*AT, resumed=False, pages=0))
    metrics(ev.PageStored(*AT, pages=1, records=10, changed=4, quarantined=1))
    metrics(ev.ListingRepeated(*AT, 2, 0, "a record was listed on two pages"))
    metrics(ev.PageStored(*AT, pages=2, records=12, changed=6, quarantined=0))
    metrics(ev.ListingRepeated(*AT, 3, 2, "2 records were found only by the last pass"))
    metrics(ev.ListingUnsettled(*AT, 3, 1, "it moves"))
    assert listed(metrics) == (2, 22, 6, 1)
    found = shown(metrics)
    assert found["listing_repeats_total{source=main,stream=services}"] == 2
    assert found["records_found_late_total{source=main,stream=services}"] == 3


def test_what_a_resumed_listing_had_before_is_not_counted_again(metrics: Metrics) -> None:
    metrics(ev.RunStarted(*AT, resumed=True, pages=5))
    metrics(ev.PageStored(*AT, pages=6, records=60, changed=30, quarantined=3))
    metrics(ev.PageStored(*AT, pages=7, records=70, changed=31, quarantined=3))
    assert listed(metrics) == (2, 10, 1, 0)


def test_the_next_run_starts_from_nothing(metrics: Metrics) -> None:
    for run in ("run-1", "run-2"):
        at = ("main", "services", run)
        metrics(ev.RunStarted(*at, resumed=False, pages=0))
        metrics(ev.PageStored(*at, pages=1, records=10, changed=4, quarantined=0))
    assert listed(metrics) == (2, 20, 8, 0)


@pytest.mark.parametrize(
    ("event", "counted"),
    [
        (ev.RequestRetried("main", "/x", 2, 1.0, "503"), {"request_retries_total{source=main}": 1}),
        (
            ev.FieldAppeared("main", "services", "vat", "number", "decimal"),
            {"fields_appeared_total{source=main,stream=services}": 1},
        ),
        (ev.DisputeSettled(*AT, "k"), {"disputes_total{source=main,stream=services}": 1}),
        (
            ev.DeletionsHeld(*AT, 30, "too many"),
            {"deletions_held_total{source=main,stream=services}": 1},
        ),
        (
            ev.DeletionsChecked(*AT, tombstoned=3, present=1, waiting=0),
            {"records_tombstoned_total{source=main,stream=services}": 3},
        ),
        (
            ev.BatchDelivered("crm", "main", "services", 5, 2, 1, 0),
            {
                "batches_total{sink=crm}": 1,
                "changes_delivered_total{sink=crm,status=applied}": 5,
                "changes_delivered_total{sink=crm,status=unchanged}": 2,
                "changes_delivered_total{sink=crm,status=rejected}": 1,
            },
        ),
        (ev.SinkWaiting("crm", 1.0, "down"), {"sink_waits_total{sink=crm}": 1}),
        (ev.SinkParked("crm", "down", ""), {"sink_parks_total{sink=crm}": 1}),
        (ev.ConnectorFailed("crm", "x", "y"), {"connector_failures_total{sink=crm}": 1}),
        (
            ev.EventsReceived("main", 7, 2),
            {
                "webhook_events_total{source=main,status=new}": 7,
                "webhook_events_total{source=main,status=duplicate}": 2,
            },
        ),
        (
            ev.WebhookRefused("main", 401, "no"),
            {"webhook_requests_refused_total{source=main,status=401}": 1},
        ),
        (
            ev.WebhookRefused("made-up-by-a-stranger", 404, "no"),
            {"webhook_requests_refused_total{source=,status=404}": 1},
        ),
        (
            ev.EventsApplied("main", events=10, changed=4, thin=3, quarantined=1),
            {
                "webhook_events_applied_total{source=main,status=changed}": 4,
                "webhook_events_applied_total{source=main,status=thin}": 3,
                "webhook_events_applied_total{source=main,status=quarantined}": 1,
                "webhook_events_applied_total{source=main,status=unchanged}": 2,
            },
        ),
        (
            ev.RecordsFetched("main", fetched=4, gone=1, changed=2),
            {
                "records_fetched_total{source=main,status=found}": 4,
                "records_fetched_total{source=main,status=gone}": 1,
            },
        ),
        (ev.HookCalled("bi", "failed", 1), {"hook_calls_total{status=succeeded}": 1}),
        (ev.HookFailed("bi", "failed", 1, 2.0, "x"), {"hook_calls_total{status=retried}": 1}),
        (ev.HookFailed("bi", "failed", 5, None, "x"), {"hook_calls_total{status=given_up}": 1}),
        (ev.ConfigReloaded("f"), {"config_reloads_total{status=accepted}": 1}),
        (ev.ConfigRefused("f", "e", "h"), {"config_reloads_total{status=refused}": 1}),
        (ev.StateUnavailable("inbox", 1.0, "full"), {"state_failures_total": 1}),
        (
            ev.PullFinished("main", "nightly", "partial", 1, 1, 70.0, ""),
            {
                "pull_duration_seconds_count{source=main,status=partial}": 1,
                "pull_duration_seconds_sum{source=main,status=partial}": 70.0,
                "pull_duration_seconds_bucket{le=60.0,source=main,status=partial}": 0,
                "pull_duration_seconds_bucket{le=300.0,source=main,status=partial}": 1,
            },
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_what_happens_is_counted(
    metrics: Metrics, event: ev.Event, counted: dict[str, float]
) -> None:
    metrics(event)
    found = shown(metrics)
    assert {name: found.get(name) for name in counted} == counted


def test_every_event_is_taken(metrics: Metrics) -> None:
    made: dict[str, Any] = {"int": 1, "str": "x", "float": 1.0, "bool": True, "float | None": None}
    for kind in get_args(ev.Event):
        values = [made[getattr(each.type, "__name__", str(each.type))] for each in fields(kind)]
        metrics(kind(*values))
    assert shown(metrics)


def test_events_come_from_any_thread(metrics: Metrics) -> None:
    def work(name: str) -> None:
        for _ in range(500):
            metrics(ev.BatchDelivered(name, "main", "services", 1, 0, 0, 0))
            metrics(ev.SinkWaiting("all", 1.0, ""))

    threads = [Thread(target=work, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown(metrics)["sink_waits_total{sink=all}"] == 2_000
    assert shown(metrics)["batches_total{sink=s3}"] == 500


def test_how_things_stand_is_read_when_asked_for(bench: Bench, metrics: Metrics) -> None:
    bench.succeed("services", "a", "b")
    bench.page(bench.begin("staff"), refused=("x",))
    bench.fail("services", status=RunStatus.NEEDS_ATTENTION)
    bench.store.inbox.add([Received("main", "1", 0, b"{}")])
    bench.store.deliveries.park("files", ParkKind.BROKEN, "No.", "")
    bench.store.leases.acquire("daemon")
    bench.clock.forward(60)
    found = shown(metrics)
    at = "{source=main,stream=services}"
    expected = {
        f"stream_records{at}": 2,
        f"stream_freshness_seconds{at}": 60,
        f"stream_last_success_timestamp_seconds{at}": 1_795_143_600,
        f"stream_in_flight_pages{at}": 0,
        "stream_in_flight_pages{source=main,stream=staff}": 1,
        "runs_needing_attention{source=main}": 1,
        "source_paused{source=main}": 0,
        "inbox_events{source=main}": 1,
        "inbox_oldest_seconds{source=main}": 60,
        "sink_lag_changes{sink=files}": 2,
        "sink_lag_seconds{sink=files}": 60,
        "sink_parked{sink=files}": 1,
        "quarantine_entries{sink=,source=main}": 1,
        "troubles{status=notice}": 1,
        "next_pull_timestamp_seconds": 1_795_224_600,
        "daemon_up": 1,
        "state_readable": 1,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["troubles{status=trouble}"] >= 2
    assert found["state_size_bytes"] > 0
    assert found["state_disk_free_bytes"] > 0
    assert "stream_freshness_seconds{source=main,stream=staff}" not in found, "it never succeeded"
    bench.store.pauses.add("main")
    assert shown(metrics)["source_paused{source=main}"] == 1


def test_a_state_that_cannot_be_read_is_told_and_the_counters_stay() -> None:
    def fail() -> Status:
        raise StoreError("The disk failed.")

    metrics = Metrics(fail, lambda _: True)
    metrics(ev.SinkParked("crm", "down", ""))
    found = shown(metrics)
    assert found["state_readable"] == 0
    assert found["sink_parks_total{sink=crm}"] == 1
    assert not [name for name in found if name.startswith(("stream_", "sink_lag"))]


# -- the documentation --------------------------------------------------------------------


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels by name, from the tables."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", DOCS, flags=re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def registered(metrics: Metrics) -> dict[str, tuple[str, frozenset[str]]]:
    """The same, from the registry, whether anything was seen of it or not."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    ours: list[Any] = [each for each in metrics.registry._collector_to_names if told_apart(each)]
    for collector in ours:
        for family in collector.describe():
            total = "_total" if family.type == "counter" else ""
            labels = (family if hasattr(family, "_labelnames") else collector)._labelnames
            found[family.name + total] = (family.type, frozenset(labels))
    return found


def told_apart(collector: object) -> bool:
    """Whether a collector says beforehand what it has: the one of the process does not."""
    return hasattr(collector, "describe")


def test_every_metric_is_documented_and_no_other(metrics: Metrics) -> None:
    told = documented()
    ours = {name: each for name, each in told.items() if name.startswith("zimun_sync_")}
    assert ours == {
        name: each for name, each in registered(metrics).items() if name.startswith("zimun_sync_")
    }
    process = {name for name in told if name.startswith("process_")}
    exported = {each.name for each in text_string_to_metric_families(metrics.render().decode())}
    assert {name.removesuffix("_total") for name in process} >= {
        name for name in exported if name.startswith("process_")
    }


def test_names_and_labels_follow_the_conventions(metrics: Metrics) -> None:
    allowed = {"source", "stream", "sink", "status"}
    for name, (kind, labels) in registered(metrics).items():
        assert name.startswith("zimun_sync_")
        assert name.endswith("_total") == (kind == "counter")
        assert labels <= (allowed | {"version"} if "build_info" in name else allowed)


def test_the_alert_rules_name_metrics_that_there_are() -> None:
    rules = re.findall(r"expr: (.*)", DOCS)
    assert rules
    named = {name for rule in rules for name in re.findall(r"zimun_sync_\w+", rule)}
    known = set(documented())
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} <= known
