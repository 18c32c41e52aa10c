"""The same content in every sink, value by value: after inserts, changes, deletions and drift."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import Project
from tests.acceptance.tables import (
    Read,
    Table,
    checksum,
    of_csv,
    of_delta,
    of_duckdb,
    of_parquet,
    of_postgres,
)
from zimun_sync.model import APPOINTMENTS, STREAMS, ColumnType
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance

ROWS = 240
PROMOTED = {"party_size": ColumnType.INTEGER, "channel": ColumnType.TEXT}
#: What tools that write and read tables trip over.
AWKWARD = ["=1+1", "'quoted", "", 'two\nlines, "quoted"', " ", "Ünïcödé 👩🏽‍⚕️", "\\N", "NULL"]


@dataclass(frozen=True, slots=True)
class Place:
    """A sink: its settings, and how those who use it read it."""

    settings: dict[str, Any]
    read: Read


def _own(project: Project, postgres_url: str) -> dict[str, Place]:
    var, schema = project.folder / "var", f"own{postgres_url.rpartition('_')[2]}"
    postgres = {"type": "postgres", "url": postgres_url, "schema": schema}
    return {
        "files": Place(project.sinks["files"], of_csv(project.csv)),
        "lake": Place({"type": "parquet", "path": "var/lake"}, of_parquet(var / "lake")),
        "team": Place(postgres, of_postgres(postgres_url, schema)),
    }


def _warehouses(project: Project, postgres_url: str) -> dict[str, Place]:
    pytest.importorskip("dlt")
    var, schema = project.folder / "var", f"dlt{postgres_url.rpartition('_')[2]}"

    def place(read: Read, destination: str, **settings: Any) -> Place:
        usual = {"type": "warehouse", "destination": destination, "min_interval": 0}
        return Place(usual | settings, read)

    file, lake = var / "warehouse.duckdb", var / "delta"
    login = postgres_url.replace("zimun@/", "zimun:any@localhost/")  # dlt wants all parts
    delta = {"table_format": "delta", "options": {"bucket_url": str(lake)}}
    return {
        "duck": place(of_duckdb(file, "zimun"), "duckdb", credentials=str(file)),
        "post": place(
            of_postgres(postgres_url, schema), "postgres", dataset=schema, credentials=login
        ),
        "delta": place(of_delta(lake / "zimun"), "filesystem", **delta),
    }


#: Sinks that are compared: with the DuckDB sink, which is compared with the source.
PLACES: dict[str, Callable[[Project, str], dict[str, Place]]] = {
    "own": _own,
    "warehouses": _warehouses,
}


class World:
    """The source: what it lists, and changes of it that nobody is told of."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._world = sandbox.world
        self.promoted = False

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(item) for item in self._world.appointments.identified()]

    def put(self, record: dict[str, Any], **changes: Any) -> None:
        changed = record | changes | {"updated_at": datetime.now(UTC).isoformat()}
        self._world.put_appointment(changed["appointment_id"], json.dumps(changed).encode())

    def alter(self) -> None:
        """Records come, change and go."""
        self._insert()
        self._change()
        for record in self.records[100:108]:
            self._world.remove_appointment(record["appointment_id"])

    def _insert(self) -> None:
        for number, notes in enumerate(AWKWARD):
            price = {"amount": f"{10**13 + number}.0{number}", "currency": "EUR"}
            new = {"appointment_id": f"a_new_{number}", "notes": notes, "price": price}
            self.put(self.records[number] | new)

    def _change(self) -> None:
        for number, record in enumerate(self.records[20:60]):
            notes = AWKWARD[number % len(AWKWARD)]
            self.put(record, notes=notes, contact_name=f"Zoë {notes}", appointment_duration=35)
            self.put(self.records[60 + number], price=None)

    def drift(self) -> None:
        """Fields appear that nobody knows."""
        for number, record in enumerate(self.records[120:150]):
            self.put(record, party_size=number, channel=["web", "", None][number % 3])

    @property
    def truth(self) -> dict[str, tuple[Any, ...]]:
        """What can be told of each appointment from the source's bytes alone."""
        return {record["appointment_id"]: self._facts(record) for record in self.records}

    def _facts(self, record: dict[str, Any]) -> tuple[Any, ...]:
        start = datetime.fromisoformat(record["appointment_time"]).astimezone(UTC)
        price = record["price"] or {"amount": None, "currency": None}
        amount = price["amount"] and str(Decimal(price["amount"]).quantize(Decimal("0.0001")))
        texts = (record[name] for name in ("contact_name", "contact_email", "notes", "status"))
        promoted = [record.get(name) for name in PROMOTED] if self.promoted else []
        minutes = record["appointment_duration"]
        return (start.isoformat(), minutes, amount, price["currency"], *texts, *promoted)


#: The columns that `World.truth` tells, in its order.
TOLD = [
    *("starts_at", "duration_minutes", "price_amount", "price_currency"),
    *("contact_name", "contact_email", "notes", "source_status"),
]


@pytest.fixture
def sandbox(serve: Serve) -> Sandbox:
    return serve(appointments=ROWS)


@pytest.mark.parametrize("kind", PLACES)
def test_every_sink_holds_what_the_source_lists_value_by_value(
    sandbox: Sandbox, new_project: NewProject, postgres_url: str, kind: str
) -> None:
    project, world = new_project(sandbox.base_url), World(sandbox)
    analytics = Place(project.sinks["analytics"], of_duckdb(project.database))
    places = {"analytics": analytics, **PLACES[kind](project, postgres_url)}
    project.settings["sinks"] = {name: place.settings for name, place in places.items()}
    arrived(project, world, places)
    world.alter()
    world.drift()
    arrived(project, world, places)
    project.source["promote"] = {APPOINTMENTS.name: {n: t.value for n, t in PROMOTED.items()}}
    world.promoted = True
    arrived(project, world, places)


def arrived(project: Project, world: World, places: dict[str, Place]) -> None:
    """Sync, and compare every value of every stream in every sink."""
    project.save()
    ended = project.sync()
    assert ended.code == 0, ended.err + ended.out
    found = {name: contents(place.read, promoted=world.promoted) for name, place in places.items()}
    first, *others = found.values()
    for name, other in zip(list(found)[1:], others, strict=True):
        for stream, rows in first.items():
            assert other[stream] == rows, f"{stream} in {name}"
            assert checksum(other[stream]) == checksum(rows)
    assert told(first[APPOINTMENTS.name], promoted=world.promoted) == world.truth


def tables(*, promoted: bool) -> dict[str, Table]:
    """What is compared of each stream."""
    found = {
        name: Table(stream.key, {column.name: column.type for column in stream.content})
        for name, stream in STREAMS.items()
    }
    if promoted:
        name = APPOINTMENTS.name
        found[name] = replace(found[name], types={**found[name].types, **PROMOTED})
    return found


def contents(read: Read, *, promoted: bool) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Every stream as a sink's readers see it."""
    found = tables(promoted=promoted)
    return {name: table.content(read(name)) for name, table in found.items()}


def told(appointments: dict[str, tuple[Any, ...]], *, promoted: bool) -> dict[str, tuple[Any, ...]]:
    """Of each appointment what the source's bytes tell as well."""
    columns = list(tables(promoted=promoted)[APPOINTMENTS.name].types)
    places = [columns.index(name) for name in [*TOLD, *(PROMOTED if promoted else ())]]
    return {key: tuple(row[at] for at in places) for key, row in appointments.items()}
