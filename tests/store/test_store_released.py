"""States of every released schema are migrated whole, killed anywhere, with all they held.

`tests/store/released.py` tells how to keep a state of the schema before a new one.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from tests.pipeline.conftest import Bench, appointment
from tests.store import kill_drill
from tests.store.conftest import Ticking, content
from tests.store.released import SCHEMAS, lay
from tests.thorough import THOROUGH, times
from zimun_sync.errors import StateTooNew
from zimun_sync.ids import IdState
from zimun_sync.model import STREAMS
from zimun_sync.store import ParkKind, Place, Store
from zimun_sync.store.inspection import look_at
from zimun_sync.store.restoring import restore
from zimun_sync.store.revisions import HEAD, migrations

URL = "sqlite:///state.db"
#: Within the hours in which the listing that each of them was killed in may be resumed.
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
LATER = "2026-11-20T18:00:00+00:00"


#: Killed before every so many-th statement of a migration.
EVERY = times(11, 1)
ENDS = SCHEMAS if THOROUGH else (SCHEMAS[0], SCHEMAS[-1])


@pytest.fixture(
    params=[("sqlite", each) for each in SCHEMAS] + [("postgres", each) for each in ENDS]
)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database and the schema of the state in it."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def url(request: pytest.FixtureRequest, place: tuple[str, str]) -> str:
    return URL if place[0] == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def schema(place: tuple[str, str]) -> str:
    return place[1]


@pytest.fixture
def store(url: str, schema: str, tmp_path: Path) -> Iterator[Store]:
    """A state of that schema, opened by this release."""
    lay(schema, url, tmp_path)
    with Store.open(url, tmp_path, Ticking(NOW)) as opened:
        yield opened


def test_there_is_a_state_of_every_schema_before_this_one() -> None:
    scripts = ScriptDirectory.from_config(migrations()).walk_revisions()
    assert {*SCHEMAS} == {script.revision for script in scripts} - {HEAD}


def values(store: Store, stream: str, column: str) -> dict[str, Any]:
    """A column of what stands, by key."""
    at = [each.name for each in STREAMS[stream].content].index(column)
    changes = store.feed.changes("main", stream, 0, 100)
    return {each.key: None if each.row is None else each.row[at] for each in changes}


def past(store: Store, stream: str, key: str, column: str) -> list[Any]:
    """A column of every version of a record, the present one first."""
    at = [each.name for each in STREAMS[stream].content].index(column)
    return [each.row[at] for each in store.versions.of("main", stream, key)]


def check(store: Store, schema: str) -> None:
    """Whether the store holds what the state of that schema did."""
    assert (store.store_id, store.organization("main")) == ("5ca1ab1e" * 4, "o_riverside")
    check_records(store)
    check_delivery(store)
    check_later_tables(store, schema)


def check_records(store: Store) -> None:
    """The feed and its past."""
    services = {"s_colour": "Colour", "s_cut": "Cut and wash", "s_shave": "Wet shave"}
    assert values(store, "services", "name") == services
    statuses = {"a_00001": "cancelled", "a_00002": "confirmed", "a_00003": "confirmed"}
    assert values(store, "appointments", "status") == statuses
    assert past(store, "services", "s_cut", "name") == ["Cut and wash", "Cut"]
    assert past(store, "services", "s_shave", "name") == ["Wet shave", "Shave"]
    assert past(store, "appointments", "a_00001", "status") == ["cancelled", "scheduled"]
    assert store.feed.heads() == {"main": 9}


def check_delivery(store: Store) -> None:
    """Offsets, parked sinks and quarantine."""
    for stream, at in (("services", 3), ("appointments", 6)):
        assert store.deliveries.offset(Place("analytics", "main", stream), "f1") == at
    parked = store.deliveries.parked()["crm"]
    assert (parked.kind, parked.hint) == (ParkKind.BROKEN, "Renew the key.")
    entries = {each.key: each for each in store.quarantine.entries()}
    assert {*entries} == {"a_00009", "a_00002"}
    assert b"a_00009" in (entries["a_00009"].raw or b"")
    assert (entries["a_00002"].sink, entries["a_00002"].attempts) == ("crm", 2)


def check_later_tables(store: Store, schema: str) -> None:
    """What only later schemas had; older ones get it empty."""
    assert store.inbox.waiting("main") == (1 if schema >= "0002" else 0)
    known = store.memory("crm").known("appointment", ["main/a_00002"])
    linked = [(each.state, each.remote_id) for each in known.values()]
    assert linked == ([(IdState.LINKED, "7001")] if schema >= "0003" else [])
    fields = [each.field for each in store.fields.all()]
    assert fields == (["loyalty"] if schema >= "0005" else [])


def test_it_is_migrated_with_all_it_held(store: Store, schema: str) -> None:
    check(store, schema)


def test_a_listing_goes_on_where_the_old_release_was(store: Store) -> None:
    lease = store.leases.acquire("source:main")
    run = store.runs.begin(lease, "main", "appointments", "appointments?page_size=2")
    assert (run.resumes, run.pages, run.page_token) == (1, 1, "2")
    assert (run.passes, run.pass_pages, run.found_late) == (1, 1, 0)


def listed(bench: Bench) -> None:
    """What the salon has on the night after; the rest is gone or unchanged."""
    riverside = {"organization_id": "o_riverside", "updated_at": LATER}
    bench.api.now = NOW + timedelta(days=1)
    bench.api.put("organization", riverside | {"timezone": "Europe/Berlin"})
    names = {"s_cut": "Dry cut", "s_colour": "Colour", "s_shave": "Wet shave"}
    bench.api.put(
        "services",
        *(riverside | {"service_id": key, "name": name} for key, name in names.items()),
    )
    bench.api.put(
        "appointments",
        *(appointment(number, **riverside, status="completed") for number in (1, 2)),
    )


def test_the_next_sync_works(store: Store) -> None:
    bench = Bench(store)
    listed(bench)
    report = bench.sync()
    assert [run.status for run in report.runs] == ["succeeded"] * len(report.runs)
    rows = bench.sink.rows
    assert rows["main", "services", "s_cut"]["name"] == "Dry cut"
    assert bench.sink.keys() == {"a_00001", "a_00002"}  # by id, 3 was gone
    assert rows["main", "appointments", "a_00001"]["status"] == "completed"
    assert past(store, "services", "s_cut", "name") == ["Dry cut", "Cut and wash", "Cut"]
    statuses = past(store, "appointments", "a_00001", "status")
    assert statuses == ["completed", "cancelled", "scheduled"]


def drilled(url: str, folder: Path, schema: str) -> int:
    """Kill the migration among its statements; how many it got through when it was not."""
    arguments = [kill_drill.__file__, "migration", url, str(folder), schema, str(EVERY)]
    ended = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.parametrize(
    "place",
    [*product(("sqlite", "postgres"), SCHEMAS if THOROUGH else SCHEMAS[:1])],
    indirect=True,
)
def test_killed_before_any_statement_the_old_schema_stands(
    url: str, schema: str, tmp_path: Path
) -> None:
    lay(schema, url, tmp_path)
    assert drilled(url, tmp_path, schema) > EVERY
    with Store.open(url, tmp_path, Ticking(NOW)) as store:
        check(store, schema)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_its_backup_can_be_restored_and_migrated_again(schema: str, tmp_path: Path) -> None:
    lay(schema, URL, tmp_path)
    Store.open(URL, tmp_path, Ticking(NOW)).close()
    backup = tmp_path / f"state.db.schema-{schema}.backup"
    assert [each.file for each in look_at(URL, tmp_path).copies] == [backup]
    assert restore(URL, tmp_path, backup, Ticking(NOW)).facts.schema == schema
    with Store.open(URL, tmp_path, Ticking(NOW)) as store:
        check_records(store)


def test_a_newer_state_is_refused_untouched_with_the_way_back(tmp_path: Path) -> None:
    lay(SCHEMAS[-1], URL, tmp_path)
    Store.open(URL, tmp_path, Ticking(NOW)).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    before = content(tmp_path)
    with pytest.raises(StateTooNew) as refused:
        Store.open(URL, tmp_path)
    assert "has schema 9999" in refused.value.message
    backup = tmp_path / f"state.db.schema-{SCHEMAS[-1]}.backup"
    assert f"`zimun-sync state restore {backup}`" in refused.value.hint
    assert content(tmp_path) == before
