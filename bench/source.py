"""The sandbox as a benchmark's source, and whether DuckDB ended with what it holds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

#: The appointments of sinks that are no database, in DuckDB's SQL; braces stand for the folder.
FILES: Final = {
    "csv": "read_csv('{}/appointments.csv', types => {{'price_amount': 'DECIMAL(18, 4)'}})",
    "parquet": "read_parquet('{}/current/appointments/**/*.parquet')",
}


def program(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).parent / name)


@contextmanager
def sandbox(rows: int, latency_ms: int = 0) -> Iterator[dict[str, Any]]:
    """A sandbox in a process of its own; yields what it says on start-up."""
    command = [program("zimun-sync"), "sandbox", "--json", "--port", "0"]
    command += ["--appointments", str(rows), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(next(iter(process.stdout or [])))
        finally:
            process.terminate()


def requests(api: dict[str, Any]) -> dict[str, int]:
    """How often the sandbox was asked for what; without what nobody asked for."""
    return {what: count for what, count in _control(api, "requests")["requests"].items() if count}


def forget_requests(api: dict[str, Any]) -> None:
    """Count the sandbox's requests anew."""
    _control(api, "requests", "DELETE")


def _control(api: dict[str, Any], path: str, method: str = "GET") -> Any:
    root = api["base_url"].removesuffix("/api/v1")
    request = Request(f"{root}/_sandbox/{path}", method=method)  # noqa: S310 - our own sandbox
    with urlopen(request) as answer:  # noqa: S310
        return json.loads(answer.read() or "null")


def differences(
    api: dict[str, Any], database: Path | None, relation: str = "appointments"
) -> dict[str, Any]:
    """Checksums in which a sink differs from the source: (source's, the sink's).

    Args:
        api: what the sandbox says on start-up.
        database: the DuckDB file, None for a sink of other files.
        relation: the appointments in DuckDB's SQL.
    """
    import duckdb

    truth = _control(api, "checksums")
    with duckdb.connect(database or ":memory:", read_only=bool(database)) as connection:
        ((count, minutes, instants),) = connection.execute(
            "SELECT count(*), sum(duration_minutes), sum(epoch_us(starts_at)) // 1000000 "
            f"FROM {relation}"
        ).fetchall()
        prices = connection.execute(
            f"SELECT price_currency, sum(price_amount) FROM {relation} "
            "WHERE price_amount IS NOT NULL GROUP BY ALL"
        ).fetchall()
    found = {"count": count, "durations": minutes, "instants": instants, "prices": dict(prices)}
    truth["prices"] = {name: Decimal(value) for name, value in truth["prices"].items()}
    return {name: (truth[name], value) for name, value in found.items() if truth[name] != value}
