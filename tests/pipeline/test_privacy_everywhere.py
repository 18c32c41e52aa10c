"""Canaries in everything personal, and every built-in file and database sink searched for them."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.tables import of_csv, of_duckdb, of_parquet, of_postgres
from tests.pipeline.conftest import Bench
from zimun_sync.model import STREAMS
from zimun_sync.privacy import Guard, HashKey, Policies, Policy
from zimun_sync.sinks import connector

Make = Callable[..., dict[str, Any]]
KEY = HashKey("1", b"0123456789abcdef")
CANARIES = {
    "contact_name": "Kanarienvogel Nummer Eins",
    "contact_email": "kanarienvogel.zwei@example.com",
    "contact_phone": "+436605550133",
    "notes": "Kanarienvogel Nummer Vier",
    "wish": "Kanarienvogel Nummer Fuenf",
}
POLICIES = Policies(
    Policy.DROP,
    {
        "appointments": {
            "contact_name": Policy.MASK,
            "contact_email": Policy.HASH,
            "extra": Policy.MASK,
        }
    },
)
SHOWN = {
    "contact_name": "K***",
    "contact_email": KEY.hash_text("contact_email", CANARIES["contact_email"]),
    "contact_phone": None,
    "notes": None,
    "extra": {"more": {"wish": ["***"]}},
}


class Place:
    """A sink, how its readers read it, and every byte that it holds."""

    def __init__(self, kind: str, folder: Path, postgres_url: str) -> None:
        schema = f"hidden_{postgres_url.rpartition('_')[2]}"
        file, wh = folder / "zimun.duckdb", folder / "warehouse.duckdb"
        settings, self.read = {
            "csv": ({"path": "csv", "changes": True}, of_csv(folder / "csv")),
            "duckdb": ({"path": str(file)}, of_duckdb(file)),
            "parquet": ({"path": "lake"}, of_parquet(folder / "lake")),
            "postgres": (
                {"url": postgres_url, "schema": schema},
                of_postgres(postgres_url, schema),
            ),
            "warehouse": (
                {"destination": "duckdb", "credentials": str(wh), "min_interval": 0},
                of_duckdb(wh, "zimun"),
            ),
        }[kind]
        found = connector(kind)
        self.sink = found.build(found.settings.model_validate(settings), folder)
        self._folder = folder
        self._dump = (postgres_url, schema) if kind == "postgres" else None

    def bytes(self) -> Iterator[bytes]:
        """What every file of the sink holds; of PostgreSQL every row of every table."""
        for path in self._folder.rglob("*"):
            if path.is_file():
                yield path.read_bytes()
        if self._dump is not None:
            yield _dump(*self._dump).encode()


def _dump(url: str, schema: str) -> str:
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute(tables, [schema]).fetchall()]
        rows = [
            connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall() for name in names
        ]
    return repr(rows)


@pytest.fixture(params=["csv", "duckdb", "parquet", "postgres", "warehouse"])
def place(bench: Bench, tmp_path: Path, postgres_url: str, request: pytest.FixtureRequest) -> Place:
    """The only sink of the bench."""
    if request.param == "warehouse":
        pytest.importorskip("dlt")
    folder = tmp_path / "sink"
    folder.mkdir()
    made = Place(request.param, folder, postgres_url)
    bench.sinks = {"it": made.sink}
    return made


def list_people(bench: Bench, make: Make, day: int) -> None:
    """Appointments of one person, in the state of a day."""
    updated = {"updated_at": f"2026-11-{day:02}T00:00:00Z", "appointment_duration": 30 + day}
    person = {name: value for name, value in CANARIES.items() if name != "wish"}
    field = {"more": {"wish": [CANARIES["wish"]]}}
    bench.api.put("appointments", *(make(n, **person, **field, **updated) for n in range(5)))


def found_in(texts: Iterator[bytes]) -> set[str]:
    """Whose canary is there."""
    return {name for text in texts for name, each in CANARIES.items() if each.encode() in text}


def rows_of(place: Place) -> Iterator[Mapping[str, Any]]:
    for stream in ("appointments", "appointment_versions"):
        yield from place.read(stream)


def shown(place: Place) -> list[dict[str, Any]]:
    """What readers see of the columns that have canaries."""
    return [
        {name: row[name] for name in SHOWN} | {"extra": _document(row["extra"])}
        for row in rows_of(place)
    ]


def _document(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def test_what_is_hidden_is_nowhere_in_the_sink(
    bench: Bench, place: Place, make_appointment: Make
) -> None:
    bench.guards = {"it": Guard(POLICIES, KEY)}
    for day, sinks in ((1, {}), (2, bench.sinks)):  # so that there is a past
        list_people(bench, make_appointment, day)
        bench.sinks = sinks
        bench.sync()
    assert shown(place) == [SHOWN] * 15  # five that stand, and two versions of each
    assert found_in(place.bytes()) == set()

    bench.guards = {}
    bench.sync()
    assert found_in(place.bytes()) == {*CANARIES}, "a search that finds nothing tells nothing"
    assert {row["contact_phone"] for row in rows_of(place)} == {CANARIES["contact_phone"]}

    bench.guards = {"it": Guard(POLICIES, KEY)}
    bench.sync()
    assert shown(place) == [SHOWN] * 15
    assert found_in(repr(row).encode() for row in rows_of(place)) == set()


def test_every_column_but_the_keys_may_be_dropped(
    bench: Bench, place: Place, make_appointment: Make
) -> None:
    """Also those that files are laid out by, and back again."""
    columns = {
        stream.name: {each.name: Policy.DROP for each in stream.content if each.name != stream.key}
        for stream in STREAMS.values()
    }
    list_people(bench, make_appointment, 1)
    for policies in Policies(Policy.DROP, columns), POLICIES:
        bench.guards = {"it": Guard(policies, KEY)}
        report = bench.sync().sinks["it"]
        assert (report.state, report.rejected) == ("current", 0)
        times = {row["starts_at"] is None for row in place.read("appointments")}
        assert times == {policies is not POLICIES}
