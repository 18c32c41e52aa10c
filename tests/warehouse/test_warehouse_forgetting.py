"""Forgetting: what a client can purge is purged, and what a person has to do is told."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from zimun_connectors.warehouse import WarehouseSettings, connector
from zimun_connectors.warehouse.forgetting import by_hand
from zimun_sync.sinks import Forgets, Forgotten
from zimun_sync.testing import make_batch, sink_context, upsert

_PERSON = Forgotten({("main", "appointments"): ["a_1"]})


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("bigquery", "max_time_travel_hours"),
        ("snowflake", "DATA_RETENTION_TIME_IN_DAYS"),
        ("redshift", "VACUUM DELETE ONLY"),
        ("databricks", "RETAIN 0 HOURS"),
        ("clickhouse", "OPTIMIZE TABLE"),
        ("duckdb", "COPY FROM DATABASE"),
        ("motherduck", "documentation"),
    ],
)
def test_a_person_is_told_what_to_do(destination: str, words: str) -> None:
    erasure = by_hand(destination, ["appointments"])
    assert not erasure.complete
    assert words in erasure.message
    assert "appointments" in erasure.message


def test_a_delta_table_keeps_its_rows_and_goes_on(tmp_path: Path) -> None:
    """Its log begins anew, and goes back as far as before from then on."""
    settings = WarehouseSettings.model_validate(
        {
            "destination": "filesystem",
            "table_format": "delta",
            "options": {"bucket_url": "lake"},
            "path": "own",
            "min_interval": 0,
        }
    )
    sink = connector.build(settings, tmp_path)
    assert isinstance(sink, Forgets)
    sink.open(sink_context())
    sink.write(make_batch(upsert(1, "a_1", notes="secret"), upsert(2, "a_2")))
    sink.write(make_batch(upsert(3, "a_1", notes=None)))
    place = tmp_path / "lake" / "zimun" / "appointments"
    DeltaTable(place).alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    assert sink.forget(_PERSON).complete
    sink.write(make_batch(upsert(4, "a_3")))
    sink.close()
    table = DeltaTable(place)
    assert table.count() == 3
    assert table.metadata().configuration["delta.logRetentionDuration"] == "interval 9 days"
    assert len(list(place.glob("*.parquet"))) == len(table.file_uris())
