"""The rows of the table: each a whole process, whose content is compared with the source's."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from changes import change
from measuring import Measured
from rounds import DUCKDB, Round, prove
from source import FILES

#: What it does is not to be told to its makers.
_DLT: Final = {"RUNTIME__DLTHUB_TELEMETRY": "false"}
#: Two processes normalize once there is more than one file.
_WORKERS: Final = {
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "25000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "25000",
    "NORMALIZE__WORKERS": "2",
}
#: What dlt calls things, in the names by which contents are compared.
_NESTED: Final = (
    "(SELECT appointment_duration AS duration_minutes, appointment_time AS starts_at, "
    "{price}amount::DECIMAL(18, 4) AS price_amount, {price}currency AS price_currency "
    "FROM {schema}appointments)"
)
Run = Callable[[Round], Measured]
_CSV: Final = {"files": {"type": "csv", "path": "csv"}}


def _peer(program: str, *arguments: str, price: str, schema: str = "", **settings: str) -> Run:
    """A program of `bench/peers`, proved by its own names of things.

    Args:
        program: its module.
        arguments: what it takes beside the job.
        price: what the names of a price's columns begin with.
        schema: where its table is, with the dot.
        settings: environment variables.
    """

    def run(now: Round) -> Measured:
        measured, database = now.peer(program, *arguments, environment=settings)
        prove(now.api, database, _NESTED.format(price=price, schema=schema))
        return measured

    return run


def _with_csv(now: Round) -> Measured:
    measured = now.sync("csv", DUCKDB | _CSV)
    prove(now.api, None, FILES["csv"].format(now.folder / "csv" / "csv"))
    return measured


def _unchanged(now: Round) -> Measured:
    _ = now.first
    measured = now.sync("first", DUCKDB)
    _expect_changes(measured, 0)
    return measured


def _changed(now: Round) -> Measured:
    _ = now.first
    count = change(now.api, now.number)
    measured = now.sync("first", DUCKDB)
    _expect_changes(measured, count)
    return measured


def _expect_changes(measured: Measured, count: int) -> None:
    """So many appointments changed; where none did, the sink was given nothing."""
    told = json.loads(measured.said)
    (changed,) = (run["changed"] for run in told["runs"] if run["stream"] == "appointments")
    applied = told["sinks"]["analytics"]["applied"]
    if changed != count or bool(applied) != bool(count):
        sys.exit(f"{count} appointments were to change: {changed} did, {applied} were delivered")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Args:
        title: what the reader of the table is told.
        run: measures it.
        targets: by milliseconds a page, the most it may take as a multiple of the drain.
        most: it is left out above so many appointments unless it is asked for by name.
        peer: whether it runs in the peers' environment.
    """

    title: str
    run: Run
    targets: Mapping[int, float] = field(default_factory=dict)
    most: int | None = None
    peer: bool = False


_SCRIPT: Final = _peer("script", price="price_")
_DLT_ARROW: Final = _peer("dlt_arrow", price="price_", schema="bench.", **_DLT)
_DLT_WORKERS: Final = _peer(
    "dlt_rest", "parquet", price="price__", schema="bench.", **_DLT, **_WORKERS
)
_DLT_REST: Final = _peer("dlt_rest", price="price__", schema="bench.", **_DLT)

#: By the name that `--only` takes, in the order in which a round runs them.
ROWS: Final = {
    "drain": Row("httpx drain, keeps nothing", Round.drain),
    "script": Row("hand-written: httpx, orjson, DuckDB upserts", _SCRIPT, peer=True),
    "dlt-arrow": Row("dlt, pages as Arrow tables", _DLT_ARROW, peer=True),
    "dlt-workers": Row("dlt, REST source, Parquet, 2 workers", _DLT_WORKERS, peer=True),
    "dlt": Row("dlt, REST source, defaults", _DLT_REST, most=100_000, peer=True),
    "sync": Row("zimun-sync, first sync", lambda now: now.first, {0: 2.5, 50: 1.03}),
    "unchanged": Row("zimun-sync, nothing changed", _unchanged, {0: 1.6}),
    "changed": Row("zimun-sync, 1% changed", _changed, {0: 2.0}),
    "csv": Row("zimun-sync, first sync, CSV too", _with_csv, {0: 3.2}),
}
