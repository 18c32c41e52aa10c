"""What is in the sinks, told by the tools of those who read them."""

import csv
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import psycopg
from psycopg import sql

from tests.acceptance.asking import HTTP

_TOTALS = """\
SELECT count(*), count(DISTINCT appointment_id), sum(duration_minutes)::BIGINT,
       sum(epoch_us(starts_at) // 1000000)::BIGINT FROM appointments"""
_PRICES = """\
SELECT price_currency, sum(price_amount) FROM appointments
WHERE price_amount IS NOT NULL GROUP BY ALL"""


def _checksums(
    count: int, keys: int, durations: int, instants: int, prices: dict[str, Decimal]
) -> dict[str, Any]:
    assert keys == count, "an appointment stands there twice"
    return {"count": count, "durations": durations, "instants": instants, "prices": prices}


def of_source(control_url: str) -> dict[str, Any]:
    """The sandbox's own checksums of its well-formed appointments."""
    truth = HTTP.get(f"{control_url}/checksums").raise_for_status().json()
    prices = {currency: Decimal(amount) for currency, amount in truth["prices"].items()}
    return _checksums(truth["count"], truth["count"], truth["durations"], truth["instants"], prices)


def of_duckdb(database: Path) -> dict[str, Any]:
    """As an analyst would add them up in SQL."""
    with duckdb.connect(database, read_only=True) as connection:
        [(count, keys, durations, instants)] = connection.execute(_TOTALS).fetchall()
        prices = dict(connection.execute(_PRICES).fetchall())
    return _checksums(count, keys, durations, instants, prices)


def of_postgres(url: str, schema: str) -> dict[str, Any]:
    """As an analyst would add them up in that schema of a PostgreSQL database."""
    table = sql.Identifier(schema, "appointments")
    totals = sql.SQL(
        "SELECT count(*), count(DISTINCT appointment_id), sum(duration_minutes)::bigint, "
        "sum(floor(extract(epoch FROM starts_at)))::bigint FROM {}"
    )
    prices = sql.SQL(
        "SELECT price_currency, sum(price_amount) FROM {} WHERE price_amount IS NOT NULL GROUP BY 1"
    )
    with psycopg.connect(url) as connection:
        [(count, keys, durations, instants)] = connection.execute(totals.format(table)).fetchall()
        by_currency = connection.execute(prices.format(table)).fetchall()
    return _checksums(count, keys, durations, instants, dict(by_currency))


def of_csv(folder: Path) -> dict[str, Any]:
    """As a script would add them up with the standard library."""
    prices: defaultdict[str, Decimal] = defaultdict(Decimal)
    keys: list[str] = []
    durations = instants = 0
    with (folder / "appointments.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, strict=True):
            keys.append(row["appointment_id"])
            durations += int(row["duration_minutes"] or 0)
            instants += int(datetime.fromisoformat(row["starts_at"]).timestamp())
            if row["price_amount"]:
                prices[row["price_currency"]] += Decimal(row["price_amount"])
    return _checksums(len(keys), len(set(keys)), durations, instants, dict(prices))


def of_pandas(folder: Path) -> dict[str, Any]:
    """As a notebook would add them up."""
    amounts = {"price_amount": lambda cell: Decimal(cell) if cell else None}
    table = pd.read_csv(
        folder / "appointments.csv", converters=amounts, parse_dates=["starts_at"], low_memory=False
    )
    since_epoch = table["starts_at"].dt.tz_convert("UTC") - pd.Timestamp(0, tz="UTC")
    priced = table[table["price_amount"].notna()]
    prices = priced.groupby("price_currency")["price_amount"].agg(sum)
    return _checksums(
        len(table),
        table["appointment_id"].nunique(),
        int(table["duration_minutes"].sum()),
        int((since_epoch // pd.Timedelta(seconds=1)).sum()),
        {str(currency): amount for currency, amount in prices.items()},
    )
