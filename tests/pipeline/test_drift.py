"""Schema drift: a field nobody knew is told once, promoted, changes its type, and is mended."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from tests.pipeline.conftest import Bench
from zimun_connectors import csv as csv_sink
from zimun_connectors import duckdb as duckdb_sink
from zimun_connectors import parquet as parquet_sink
from zimun_connectors import postgres as postgres_sink
from zimun_sync.config.promotions import streams_of
from zimun_sync.errors import SourceUnavailable
from zimun_sync.events import FieldAppeared, Renormalized
from zimun_sync.model import ColumnType
from zimun_sync.normalize import Promotion, Rules
from zimun_sync.pipeline.adopt import Adoption
from zimun_sync.sinks import Sink

RECORDS = 25  # three pages
Make = Callable[..., dict[str, Any]]
Values = dict[str, dict[str, Any]]


class Readers:
    """Four sinks, and what their own readers find in them."""

    def __init__(self, folder: Path, postgres_url: str) -> None:
        self.folder = folder
        self.url = postgres_url
        self.schema = f"drift_{postgres_url.rpartition('_')[2]}"  # one server serves every test
        self.sinks = {
            "analytics": duckdb_sink.connector.build(
                duckdb_sink.DuckdbSettings(path=Path("zimun.duckdb"), model=False), folder
            ),
            "files": csv_sink.connector.build(csv_sink.CsvSettings(path=Path("csv")), folder),
            "lake": parquet_sink.connector.build(
                parquet_sink.ParquetSettings(path=Path("lake")), folder
            ),
            "warehouse": postgres_sink.connector.build(
                postgres_sink.PostgresSettings.model_validate(
                    {"url": postgres_url, "schema": self.schema}
                ),
                folder,
            ),
        }

    def columns(self, *names: str) -> dict[str, Values]:
        """Those columns of every appointment, by the sink's name."""
        return {
            "analytics": self._duckdb(names),
            "files": self._csv(names),
            "lake": self._parquet(names),
            "warehouse": self.of_postgres(*names),
        }

    def header(self) -> list[str]:
        """The columns of the CSV file."""
        with (self.folder / "csv" / "appointments.csv").open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file))

    def types(self, name: str) -> tuple[str, str, str]:
        """The column's type in the sinks that have types."""
        with duckdb.connect(self.folder / "zimun.duckdb", read_only=True) as reader:
            [[in_duckdb]] = reader.sql(
                f"SELECT typeof({name}) FROM appointments LIMIT 1"
            ).fetchall()
        in_parquet = pq.read_schema(next(self._files())).field(name).type
        with psycopg.connect(self.url) as reader:
            in_postgres = reader.execute(
                "SELECT data_type FROM information_schema.columns WHERE table_schema = %s"
                " AND table_name = 'appointments' AND column_name = %s",
                [self.schema, name],
            ).fetchone()
        assert in_postgres is not None
        return in_duckdb, str(in_parquet), in_postgres[0]

    def _duckdb(self, names: tuple[str, ...]) -> Values:
        with duckdb.connect(self.folder / "zimun.duckdb", read_only=True) as reader:
            found = reader.sql(f"SELECT appointment_id, {', '.join(names)} FROM appointments")
            return _by_key(found.fetchall(), names)

    def _csv(self, names: tuple[str, ...]) -> Values:
        with (self.folder / "csv" / "appointments.csv").open(newline="", encoding="utf-8") as file:
            rows = [
                [row[name] for name in ("appointment_id", *names)] for row in csv.DictReader(file)
            ]
        return _by_key(rows, names)

    def _files(self) -> Iterator[Path]:
        return (self.folder / "lake" / "current" / "appointments").rglob("*.parquet")

    def _parquet(self, names: tuple[str, ...]) -> Values:
        rows = [
            [row[name] for name in ("appointment_id", *names)]
            for file in self._files()
            for row in pq.ParquetFile(file).read().to_pylist()
        ]
        return _by_key(rows, names)

    def of_postgres(self, *names: str) -> Values:
        query = f"SELECT appointment_id, {', '.join(names)} FROM {self.schema}.appointments"
        with psycopg.connect(self.url) as reader:
            return _by_key(reader.execute(query.encode()).fetchall(), names)


def _by_key(rows: Any, names: tuple[str, ...]) -> Values:
    return {key: dict(zip(names, rest, strict=True)) for key, *rest in rows}


@pytest.fixture
def readers(tmp_path: Path, postgres_url: str) -> Readers:
    return Readers(tmp_path / "sinks", postgres_url)


@pytest.fixture
def drifting(bench: Bench, readers: Readers) -> Bench:
    """A bench with those sinks."""
    (readers.folder).mkdir()
    bench.sinks |= readers.sinks
    return bench


def promote(bench: Bench, **columns: Promotion) -> None:
    """Configure these promotions of appointments."""
    bench.rules = Rules({}, {}, None, {"appointments": columns})
    bench.columns = streams_of([bench.rules.promote])


def listed(make: Make, **by_number: Any) -> list[dict[str, Any]]:
    """All appointments; `by_number`: a field's value by the appointment's number."""
    return [
        make(number) | {name: value(number) for name, value in by_number.items()}
        for number in range(RECORDS)
    ]


def key(number: int) -> str:
    return f"a_{number:05d}"


def test_from_an_unknown_field_to_a_typed_column_in_every_sink(
    drifting: Bench, readers: Readers, make_appointment: Make
) -> None:
    bench, api = drifting, drifting.api
    api.put("appointments", *listed(make_appointment))
    bench.sync()
    assert bench.of(FieldAppeared) == []

    # The source gains a field, on the appointments that are new: it is told once, ever.
    old = listed(make_appointment)
    for number in range(10, RECORDS):
        old[number] |= {"party_size": number, "updated_at": "2026-11-02T00:00:00Z"}
    api.put("appointments", *old)
    bench.sync()
    bench.sync()
    told = FieldAppeared("main", "appointments", "party_size", "integer", "integer")
    assert bench.of(FieldAppeared) == [told]
    assert readers.columns("extra")["warehouse"][key(12)] == {"extra": {"party_size": 12}}

    # It is promoted: old and new records get the typed column, and nothing more is asked.
    promote(bench, party_size=Promotion("party_size", ColumnType.INTEGER))
    api.calls.clear()
    bench.sync()
    assert api.tokens_of("appointments") == [None, "10", "20"]
    assert api.by_id_calls == []
    assert bench.of(Renormalized)[-1] == Renormalized("main", "appointments", RECORDS - 10)
    wanted = {key(number): number if number >= 10 else None for number in range(RECORDS)}
    expect(readers, wanted)
    assert readers.types("party_size") == ("BIGINT", "int64", "bigint")
    assert set(extras(readers)) == {None}

    # Its type changes for three records: those go to quarantine, and keep what they had.
    for number in (3, 13, 23):
        old[number] |= {"party_size": "many", "updated_at": "2026-11-03T00:00:00Z"}
    old[14] |= {"party_size": 140, "updated_at": "2026-11-03T00:00:00Z"}
    api.put("appointments", *old)
    report = bench.sync()
    entries = bench.store.quarantine.entries()
    assert {entry.key for entry in entries} == {key(3), key(13), key(23)}
    assert {(entry.code, entry.sink) for entry in entries} == {("wrong-type", "")}
    assert "'party_size' should be a whole number" in entries[0].message
    assert report.status == "partial"
    expect(readers, wanted | {key(14): 140})

    # Mended at the source: the entries are closed, and the values are right.
    for number in (3, 13, 23):
        old[number] |= {"party_size": 7, "updated_at": "2026-11-04T00:00:00Z"}
    api.put("appointments", *old)
    assert bench.sync().status == "succeeded"
    assert bench.store.quarantine.entries() == []
    expect(readers, wanted | {key(14): 140} | dict.fromkeys((key(3), key(13), key(23)), 7))


def expect(readers: Readers, wanted: dict[str, int | None]) -> None:
    """Every sink has these values of `party_size`."""
    for sink, rows in readers.columns("party_size").items():
        found = {each: row["party_size"] for each, row in rows.items()}
        if sink == "files":
            found = {each: int(cell) if cell else None for each, cell in found.items()}
        assert found == wanted, sink


def extras(readers: Readers) -> Iterator[Any]:
    for rows in readers.columns("extra").values():
        yield from (row["extra"] or None for row in rows.values())


def test_every_type(drifting: Bench, readers: Readers, make_appointment: Make) -> None:
    fields = {
        "n": (ColumnType.INTEGER, 7, 7),
        "price_tier": (ColumnType.DECIMAL, 12.5, Decimal("12.5000")),
        "walk_in": (ColumnType.BOOLEAN, True, True),
        "Origin Channel": (ColumnType.TEXT, "web", "web"),
        "seen_at": (
            ColumnType.INSTANT,
            "2026-11-20T09:00:00+01:00",
            datetime(2026, 11, 20, 8, tzinfo=UTC),
        ),
        "born": (ColumnType.DATE, "1990-02-28", date(1990, 2, 28)),
        "answers": (ColumnType.JSON, {"b": [1, 2.5], "a": None}, {"a": None, "b": [1, 2.5]}),
    }
    given = {field: value for field, (_, value, _) in fields.items()}
    drifting.api.put("appointments", make_appointment(1) | given)
    columns = {
        field.lower().replace(" ", "_"): Promotion(field, kind)
        for field, (kind, _, _) in fields.items()
    }
    promote(drifting, **columns)
    drifting.sync()
    expected = dict(zip(columns, (wanted for _, _, wanted in fields.values()), strict=True))
    found = readers.columns(*columns)
    assert found["warehouse"] == {key(1): expected}
    for name in ("analytics", "lake"):
        [row] = found[name].values()
        assert row | {"answers": json.loads(row["answers"])} == expected
    assert found["files"] == {
        key(1): {
            "n": "7",
            "price_tier": "12.5",
            "walk_in": "true",
            "origin_channel": "web",
            "seen_at": "2026-11-20T08:00:00Z",
            "born": "1990-02-28",
            "answers": '{"a":null,"b":[1,2.5]}',
        }
    }


def codes(readers: Readers, number: int) -> dict[str, Any]:
    """One appointment's `code` by the sink's name."""
    return {sink: rows[key(number)]["code"] for sink, rows in readers.columns("code").items()}


def test_another_type_then_no_column_then_the_first_again(
    drifting: Bench, readers: Readers, make_appointment: Make
) -> None:
    bench = drifting
    bench.api.put("appointments", *listed(make_appointment, code=lambda number: f"c{number}"))
    promote(bench, code=Promotion("code", ColumnType.TEXT))
    bench.sync()
    assert codes(readers, 3) == dict.fromkeys(readers.sinks, "c3")

    promote(bench, code=Promotion("code", ColumnType.JSON))
    bench.sync()
    document = dict.fromkeys(readers.sinks, '"c3"')
    assert codes(readers, 3) == document | {"warehouse": "c3"}  # psycopg decodes it

    promote(bench)
    bench.sync()
    # PostgreSQL keeps the column, empty: somebody's view may show it.
    assert {row["code"] for row in readers.of_postgres("code").values()} == {None}
    assert "code" not in readers.header()
    found = readers.columns("extra")
    assert found["warehouse"][key(3)] == {"extra": {"code": "c3"}}
    assert found["lake"][key(3)] == found["analytics"][key(3)] == {"extra": '{"code":"c3"}'}

    promote(bench, code=Promotion("code", ColumnType.TEXT))
    bench.sync()
    assert codes(readers, 3) == dict.fromkeys(readers.sinks, "c3")
    assert readers.types("code") == ("VARCHAR", "string", "text")


def test_a_configuration_that_is_taken_back_before_the_next_pull(
    drifting: Bench, readers: Readers, make_appointment: Make
) -> None:
    """Sinks were opened without the column, and have it again with every value."""
    bench = drifting
    bench.api.put("appointments", *listed(make_appointment, party_size=lambda number: number))
    promote(bench, party_size=Promotion("party_size", ColumnType.INTEGER))
    bench.sync()
    for columns in ({}, {"party_size": Promotion("party_size", ColumnType.INTEGER)}):
        promote(bench, **columns)
        # Nothing is listed, and nothing normalized again; what is stored is delivered.
        bench.api.fail("organization", None, SourceUnavailable("Not now."))
        assert bench.sync().status == "failed"
        has_column = "party_size" in readers.header()
        assert has_column == bool(columns)
    expect(readers, {key(number): number for number in range(RECORDS)})


def test_past_versions_follow(drifting: Bench, readers: Readers, make_appointment: Make) -> None:
    bench = drifting
    bench.api.put("appointments", make_appointment(1, party_size=2))
    bench.sync()
    bench.api.put(
        "appointments", make_appointment(1, party_size=3, updated_at="2026-11-02T00:00:00Z")
    )
    bench.sync()
    promote(bench, party_size=Promotion("party_size", ColumnType.INTEGER))
    bench.sync()
    query = "SELECT party_size, extra FROM appointment_versions ORDER BY valid_from"
    with duckdb.connect(readers.folder / "zimun.duckdb", read_only=True) as reader:
        assert reader.sql(query).fetchall() == [(2, None), (3, None)]
    promote(bench)
    bench.sync()
    with duckdb.connect(readers.folder / "zimun.duckdb", read_only=True) as reader:
        found = reader.sql("SELECT extra FROM appointment_versions ORDER BY valid_from").fetchall()
    assert found == [('{"party_size":2}',), ('{"party_size":3}',)]


def test_two_sources_share_a_table(
    drifting: Bench, readers: Readers, make_appointment: Make, make_api: Any
) -> None:
    """A column that only one of them promotes is empty for the other."""
    other = make_api()
    other.put("organization", {"organization_id": "o_2", "timezone": "Europe/Berlin"})
    other.put("appointments", make_appointment(90, organization_id="o_2", party_size="two"))
    drifting.api.put("appointments", make_appointment(1, party_size=2))
    drifting.rules = Rules({}, {})
    drifting.columns = streams_of(
        [{"appointments": {"party_size": Promotion("party_size", ColumnType.INTEGER)}}]
    )
    drifting.sync(second=other)
    for rows in readers.columns("party_size").values():
        assert {each["party_size"] or None for each in rows.values()} == {None}


def test_what_sinks_hold_compares_with_the_store(
    drifting: Bench, readers: Readers, make_appointment: Make
) -> None:
    drifting.api.put("appointments", *listed(make_appointment, party_size=lambda number: number))
    promote(drifting, party_size=Promotion("party_size", ColumnType.INTEGER))
    drifting.sync()
    for name, sink in readers.sinks.items():
        with Adoption(drifting.store, name, sink, drifting.columns) as adoption:
            [compared] = list(adoption.compare({"main": ["staff", "appointments"]}))[-1:]
        assert (compared.same, compared.different, compared.missing) == (RECORDS, 0, 0)


def test_times_do_not_move_with_a_promotion_an_unchanged_night_or_a_new_sink(
    bench: Bench, tmp_path: Path, make_appointment: Make
) -> None:
    """Without a time of the source, times are those at which something was first seen."""
    names = ("early", "late")

    def analytics(name: str) -> Sink:
        settings = duckdb_sink.DuckdbSettings(path=Path(f"{name}.duckdb"))
        return duckdb_sink.connector.build(settings, tmp_path)

    def times(name: str) -> list[Any]:
        with duckdb.connect(tmp_path / f"{name}.duckdb", read_only=True) as reader:
            cancelled = "SELECT appointment_id, epoch_us(cancelled_at) FROM fact_appointments"
            history = "SELECT version_id, epoch_us(valid_from) FROM appointment_history"
            return [reader.sql(f"{each} ORDER BY 1").fetchall() for each in (cancelled, history)]

    timeless = {"updated_at": None, "status": "cancelled", "party_size": 2}
    bench.api.put("appointments", *(make_appointment(n) | timeless for n in range(3)))
    bench.sinks = {"early": analytics("early")}
    bench.sync()
    first = times("early")
    bench.api.now += timedelta(days=1)
    bench.sync()
    promote(bench, party_size=Promotion("party_size", ColumnType.INTEGER))
    bench.sinks = {name: analytics(name) for name in names}
    bench.sync()
    assert times("early") == times("late") == first
