"""A sink with policies: delivered to, looked up from, previewed, compared; policies that change."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.pipeline.conftest import Bench, MemorySink
from tests.pipeline.crm import Crm, CrmSink
from zimun_connectors import duckdb as duckdb_sink
from zimun_sync.config.promotions import streams_of
from zimun_sync.model import ColumnType
from zimun_sync.normalize import Promotion, Rules
from zimun_sync.pipeline.activating import activate, announce
from zimun_sync.pipeline.adopt import Adoption
from zimun_sync.pipeline.contact import Surroundings, delivery_of, sink_context
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.privacy import Guard, HashKey, Policies, Policy
from zimun_sync.sinks import Batch, Rejection, WriteResult

Make = Callable[..., dict[str, Any]]
KEY = HashKey("1", b"0123456789abcdef")
PLACE = ("main", "appointments", "a_00001")
ANNA = {"contact_name": "Anna", "contact_email": "anna@example.com", "notes": "Ge#heim"}


def guard(personal: str, **appointments: str) -> Guard:
    named = {name: Policy(each) for name, each in appointments.items()}
    return Guard(Policies(Policy(personal), {"appointments": named}), KEY)


@pytest.fixture
def anna(bench: Bench, make_appointment: Make) -> Bench:
    """A bench whose API lists one appointment, of Anna's."""
    bench.api.put("appointments", make_appointment(1, **ANNA))
    return bench


def change(bench: Bench, make: Make, day: int, **changes: Any) -> None:
    updated = {"updated_at": f"2026-11-{day:02}T00:00:00Z"}
    bench.api.put("appointments", make(1, **ANNA | updated | changes))


def row(bench: Bench) -> dict[str, Any]:
    return bench.sink.rows[PLACE]


def test_each_sink_is_shown_what_its_own_policies_say(anna: Bench, make_sink: Any) -> None:
    anna.sinks = {"memory": make_sink(), "open": make_sink()}
    anna.guards = {"memory": guard("drop", contact_email="mask", price_amount="drop")}
    anna.sync()
    found, clear = (each.rows[PLACE] for each in anna.sinks.values())  # type: ignore[attr-defined]
    assert (found["contact_email"], found["notes"]) == ("a***@example.com", None)
    assert (found["price_amount"], clear["price_amount"] is None) == (None, False)
    assert (clear["contact_email"], clear["notes"]) == (ANNA["contact_email"], ANNA["notes"])
    assert found["_seq"] == clear["_seq"]


def test_an_unchanged_source_costs_a_sink_with_policies_nothing(anna: Bench) -> None:
    anna.guards = {"memory": guard("hash")}
    anna.sync()
    anna.sink.batches.clear()
    anna.sync()
    assert anna.sink.batches == []


def test_a_change_of_what_is_hidden_comes_with_the_same_hash(
    anna: Bench, make_appointment: Make
) -> None:
    anna.guards = {"memory": guard("drop", updated_at="drop")}
    for day, notes in enumerate(("one", "two"), start=2):
        change(anna, make_appointment, day, notes=notes)
        anna.sync()
    batches = [each for each in anna.sink.batches if each.stream.name == "appointments"]
    (one,), (two,) = (each.changes for each in batches)
    assert one.hash == two.hash
    assert one.seq < two.seq


@pytest.mark.parametrize(
    ("later", "shown"),
    [
        (guard("drop"), None),
        (guard("allow"), ANNA["contact_email"]),
        (Guard(Policies(Policy.HASH), HashKey("2", b"fedcba9876543210")), "v2:"),
    ],
    ids=["policy", "none", "key"],
)
def test_another_policy_or_key_has_everything_delivered_anew(
    anna: Bench, later: Guard, shown: str | None
) -> None:
    anna.guards = {"memory": guard("hash")}
    anna.sync()
    assert str(row(anna)["contact_email"]).startswith("v1:")
    anna.guards = {"memory": later}
    assert anna.sync().sinks["memory"].applied > 0
    assert row(anna)["contact_email"] == shown or row(anna)["contact_email"].startswith(shown)
    anna.sink.batches.clear()
    anna.sync()
    assert anna.sink.batches == []


def test_the_past_is_hidden_as_the_present_is(anna: Bench, make_appointment: Make) -> None:
    anna.guards = {"memory": guard("hash", notes="drop")}
    anna.sync()
    change(anna, make_appointment, 2, contact_email="ANNA@example.com", notes="new")
    anna.sync()
    versions = [each for (_, name, _), each in anna.sink.rows.items() if "versions" in name]
    assert len(versions) == 2
    assert {each["contact_email"] for each in versions} == {row(anna)["contact_email"]}
    assert {each["notes"] for each in versions} == {None}
    assert {"contact_email", "notes"} <= {*json.loads(versions[-1]["changed"])}


def test_promoted_columns_are_personal(anna: Bench, make_appointment: Make) -> None:
    promote = {
        "appointments": {
            "phone_2": Promotion("phone_2", ColumnType.TEXT),
            "size": Promotion("size", ColumnType.INTEGER),
        }
    }
    anna.rules, anna.columns = Rules({}, {}, None, promote), streams_of([promote])
    anna.guards = {"memory": Guard(Policies(Policy.MASK), None, anna.columns)}
    anna.api.put("appointments", make_appointment(1, phone_2="+436601234567", size=4))
    anna.sync()
    assert (row(anna)["phone_2"], row(anna)["size"]) == ("+43***67", None)


def test_a_rejection_tells_only_what_the_sink_saw(anna: Bench) -> None:
    def refuse(batch: Batch) -> WriteResult:
        told = [f"{each.row and each.row.get('contact_email')}" for each in batch.changes]
        found = [Rejection(c.key, "no", t) for c, t in zip(batch.changes, told, strict=True)]
        return WriteResult(0, rejected=tuple(found))

    anna.sink.on_write = refuse
    anna.guards = {"memory": guard("mask")}
    anna.sync()
    messages = [entry.message for entry in anna.store.quarantine.entries(sink="memory")]
    assert "a***@example.com" in messages
    assert not [each for each in messages if "anna@" in each]


def test_what_is_offered_again_is_hidden_too(anna: Bench) -> None:
    anna.guards = {"memory": guard("mask")}
    anna.sink.on_write = lambda batch: WriteResult(
        0, rejected=tuple(Rejection(each.key, "no", "No.") for each in batch.changes)
    )
    anna.sync()
    anna.sink.on_write = lambda _batch: None
    for entry in anna.store.quarantine.entries(sink="memory"):
        anna.store.quarantine.mark(entry.id, "retry")
    anna.sync()
    assert row(anna)["contact_email"] == "a***@example.com"


def test_a_batch_taken_apart_is_hidden_once(anna: Bench, make_appointment: Make) -> None:
    def fail(batch: Batch) -> None:
        if any(change.key == "a_00002" for change in batch.changes):
            raise RuntimeError

    anna.api.put("appointments", *(make_appointment(n, **ANNA) for n in range(4)))
    anna.guards = {"memory": guard("hash")}
    anna.sinks, sink = {}, anna.sink
    anna.sync()
    anna.sinks = {"memory": sink}
    sink.on_write = fail
    lease = anna.store.leases.acquire("sink:memory")
    at = Surroundings(anna.store, anna.events.append, Event(), guards=anna.guards)
    delivery = delivery_of("memory", anna.sink, lease, {"main": ["appointments"]}, at)
    while delivery.step(more=False) is not Progress.IDLE:
        pass
    wanted = KEY.hash_text("contact_email", ANNA["contact_email"])
    assert anna.sink.keys() == {"a_00000", "a_00001", "a_00003"}
    assert row(anna)["contact_email"] == wanted


def test_a_lookup_shows_no_more_than_a_batch(anna: Bench) -> None:
    by = guard("drop", contact_email="mask", contact_phone="allow")
    anna.guards = {"memory": by}
    anna.api.put("staff", {"staff_id": "st_1", "name": "Berta", "email": "b@example.com"})
    anna.sync()
    lookup = sink_context(anna.store, "memory", guard=by).lookup
    assert lookup.rows("main", "appointments", ["a_00001"]) == {"a_00001": row(anna)}
    assert lookup.rows("main", "staff", ["st_1"])["st_1"]["name"] is None


def test_previews_and_announcements_show_what_would_be_written(anna: Bench) -> None:
    """Nobody's address reaches a remote system by being shown to it first."""
    crm = CrmSink(Crm())
    anna.sinks["crm"], anna.guards = crm, {"crm": guard("drop", contact_name="mask")}
    anna.sync()
    told = announce(
        anna.store, "crm", crm, {"main": ["appointments"]}, anna.api.now, guard=anna.guards["crm"]
    )
    assert told.tally.counts == {("appointment", "create"): 1}
    activate(anna.store, told)
    anna.sync()
    assert (crm.crm.contacts, len(crm.crm.appointments)) == ({}, 1)


def test_what_a_sink_holds_compares_with_what_it_is_shown(anna: Bench, tmp_path: Path) -> None:
    sink = duckdb_sink.connector.build(duckdb_sink.DuckdbSettings(path=Path("x.duckdb")), tmp_path)
    by = guard("hash")
    anna.sinks, anna.guards = {"analytics": sink}, {"analytics": by}
    anna.sync()
    for shown, counted in ((by, (1, 0, 0)), (guard("drop"), (0, 1, 0))):
        with Adoption(anna.store, "analytics", sink, guard=shown) as adoption:
            *_, found = adoption.compare({"main": ["appointments"]})
        assert (found.same, found.different, found.missing) == counted


def test_a_sink_that_nothing_is_hidden_from_gets_the_stores_own_rows(
    anna: Bench, make_sink: Any
) -> None:
    sink: MemorySink = make_sink()
    anna.sinks, anna.guards = {"memory": sink}, {"memory": Guard(Policies())}
    anna.sync()
    [stored] = anna.store.feed.changes("main", "appointments", 0, 10)
    [held] = [each for batch in sink.batches for each in batch.stored if each.key == stored.key]
    assert held == stored
