"""The sandbox as a benchmark's source, and whether DuckDB ended with what it holds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen


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


def differences(api: dict[str, Any], database: Path) -> dict[str, Any]:
    """Checksums in which DuckDB differs from the source: (source's, DuckDB's)."""
    import duckdb

    root = api["base_url"].removesuffix("/api/v1")
    with urlopen(f"{root}/_sandbox/checksums") as answer:  # noqa: S310 - our own sandbox
        truth = json.load(answer)
    with duckdb.connect(database, read_only=True) as connection:
        ((count, minutes, instants),) = connection.execute(
            "SELECT count(*), sum(duration_minutes), sum(epoch_us(starts_at)) // 1000000 "
            "FROM appointments"
        ).fetchall()
        prices = connection.execute(
            "SELECT price_currency, sum(price_amount) FROM appointments "
            "WHERE price_amount IS NOT NULL GROUP BY ALL"
        ).fetchall()
    found = {"count": count, "durations": minutes, "instants": instants, "prices": dict(prices)}
    truth["prices"] = {name: Decimal(value) for name, value in truth["prices"].items()}
    return {name: (truth[name], value) for name, value in found.items() if truth[name] != value}
