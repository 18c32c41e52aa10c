"""Settings are refused in the user's words, and so is what a warehouse says."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from zimun_connectors.warehouse import WarehouseSettings
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.sinks import connector, connectors

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"destination": "filesystem", "options": {"bucket_url": "x"}}, "`parquet` connector"),
        (
            {
                "destination": "filesystem",
                "table_format": "iceberg",
                "options": {"bucket_url": "x"},
            },
            "table_format: delta",
        ),
        ({"destination": "filesystem", "table_format": "delta"}, "bucket_url"),
        ({"destination": "athena"}, "table_format: iceberg"),
        ({"destination": "athena", "table_format": "iceberg"}, "staging"),
        ({"destination": "duckdb", "dataset": "Main"}, "dataset"),
        ({"destination": "duckdb", "dataset": "a__b"}, "dataset"),
        ({"destination": "duckdb", "surprise": 1}, "surprise"),
        ({"destination": "duckdb", "min_interval": -1}, "min_interval"),
        ({}, "destination"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        WarehouseSettings.model_validate(settings)


def test_secrets_are_never_shown() -> None:
    secret = "hunter" + "2"
    for credentials in (f"postgresql://me:{secret}@host/db", {"password": secret}):
        settings = WarehouseSettings.model_validate(
            {"destination": "postgres", "credentials": credentials, "options": {"token": secret}}
        )
        assert secret not in repr(settings)
        assert secret not in settings.fingerprint


def test_it_is_found_by_its_name() -> None:
    assert "warehouse" in connectors()
    assert connector("warehouse").settings is WarehouseSettings


def test_its_settings_have_a_schema_and_are_described() -> None:
    schema = WarehouseSettings.model_json_schema()
    assert all("description" in field for field in schema["properties"].values())
    assert "$defs" in json.loads(json.dumps(schema))


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"destination": "bigquary"}, "no such destination", "destination"),
        ({"destination": "qdrant"}, "no warehouse", "destination"),
        ({"destination": "clickhouse", "credentials": "clickhouse://u:p@localhost:1/d"},
         "package is missing", "pip install"),
        ({"destination": "postgres", "credentials": {"host": "h"}}, "missing: credentials",
         "credentials"),
        ({"destination": "duckdb", "credentials": "x.duckdb", "options": {"surprise": 1}},
         "'surprise'", "options"),
    ],
)  # fmt: skip
def test_a_destination_that_cannot_be_used_is_refused(
    bench: "Bench", settings: dict[str, Any], message: str, hint: str
) -> None:
    sink = bench.sink(**{"credentials": None} | settings)
    for action in (sink.check, sink.open):
        with pytest.raises(SinkBroken, match=message) as caught:
            action(bench.context())
        assert hint in caught.value.hint


def test_refused_credentials_park_the_sink_and_an_unreachable_server_does_not(
    bench: "Bench", postgres_url: str
) -> None:
    folder = postgres_url.partition("host=")[2].partition("&")[0]
    secret = "hunter" + "2"
    url = f"postgresql://nobody:{secret}@localhost/postgres?host={folder}"
    with pytest.raises(SinkBroken, match="nobody") as refused:
        bench.sink(destination="postgres", credentials=url).open(bench.context())
    assert "credentials" in refused.value.hint
    away = f"postgresql://nobody:{secret}@localhost/postgres?host=/nonexistent"
    with pytest.raises(SinkUnavailable, match="/nonexistent") as later:
        bench.sink(destination="postgres", credentials=away).open(bench.context())
    assert later.value.hint
    assert secret not in f"{refused.value}{later.value}"
