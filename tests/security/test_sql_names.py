"""Names that a configuration or a source chooses become columns and comments, never SQL."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from pydantic import ValidationError

from tests.thorough import times
from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink
from zimun_connectors.postgres import PostgresSettings, PostgresSink
from zimun_sync.config import SourceSettings
from zimun_sync.model import APPOINTMENTS, STREAMS, ColumnType, Stream
from zimun_sync.promoting import promoted_column
from zimun_sync.sinks import Sink
from zimun_sync.testing import appointment_row, make_batch, sink_context, upsert

#: What ends a name, a text, a comment or a statement somewhere.
EVIL = [
    "x'; DROP TABLE appointments; --",
    'x"; DROP TABLE appointments; --',
    "x') ; ATTACH ':memory:' AS y; --",
    "%s %(name)s {} {0} {{ x }} {% x %} $1 $$ ? :x",
    "\\'; \\\"; /* */ -- \n \r \t ;",
    "a" * 300,
    "`x` `",
    "\u0131 \u0130 \xdf \ufb01 \u202e \u540d\u524d",
]
#: Printable, as JSON may have it; databases of text take no NUL.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
FIELDS = st.sampled_from(EVIL) | TEXT
COLUMN = "promoted_1"
NAME = "fuzzed"
FUZZED = settings(
    max_examples=times(3, 300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@example(name="x'; DROP TABLE appointments; --")
@example(name="select")
@example(name="appointment_id")
@example(name="a\n")
@example(name="\uff46\uff55\uff4c\uff4c")
@given(name=FIELDS)
def test_a_column_s_name_is_plain_or_refused(name: str) -> None:
    given = {"client_id": "id", "client_secret": "s", "promote": {"staff": {name: "text"}}}
    try:
        made = SourceSettings.model_validate(given)
    except ValidationError:
        return
    (column,) = made.promote["staff"]
    assert column == name
    assert name.isascii()
    assert name.replace("_", "").isalnum()
    assert name not in {each.name for each in STREAMS["staff"].columns}


def stream_with(field: str) -> Stream:
    column = promoted_column(COLUMN, ColumnType.TEXT, [field])
    return replace(APPOINTMENTS, promoted=(column,))


def deliver(sink: Sink, field: str, value: str) -> None:
    """Write a record whose promoted field has that name and value."""
    stream = stream_with(field)
    streams: Mapping[str, Stream] = {**STREAMS, "appointments": stream}
    sink.open(sink_context(streams=streams))
    row = appointment_row("a_1", notes=value, contact_name=value)
    assert sink.write(make_batch(upsert(1, "a_1", row), stream=stream)).rejected == ()


@FUZZED
@example(field=EVIL[0], value=EVIL[1])
@example(field=EVIL[3], value=EVIL[4])
@given(field=FIELDS, value=FIELDS)
def test_duckdb_holds_any_field_s_name_as_text(
    field: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sql")
    with closing(DuckdbSink(DuckdbSettings(path=Path("z.duckdb"), model=False), folder)) as sink:
        deliver(sink, field, value)
    with duckdb.connect(folder / "z.duckdb", read_only=True) as reader:
        names = {
            name
            for (name,) in reader.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
        }
        assert names >= set(STREAMS)
        told = reader.execute("SELECT notes, contact_name FROM appointments").fetchall()
        assert told == [(value, value)]


@pytest.fixture
def schema(postgres_url: str) -> Iterator[Any]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield postgres_url, connection


@FUZZED
@example(field=EVIL[0], value=EVIL[1])
@example(field=EVIL[3], value=EVIL[4])
@given(field=FIELDS, value=FIELDS)
def test_postgresql_holds_any_field_s_name_as_text(
    field: str, value: str, schema: tuple[str, psycopg.Connection[Any]]
) -> None:
    url, connection = schema
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(NAME)))
    with closing(
        PostgresSink(PostgresSettings.model_validate({"url": url, "schema": NAME}))
    ) as sink:
        deliver(sink, field, value)
    found = connection.execute(
        sql.SQL("SELECT notes, contact_name FROM {}.appointments").format(sql.Identifier(NAME))
    ).fetchall()
    assert found == [(value, value)]
    (comment,) = connection.execute(
        "SELECT col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attname = %s AND attrelid = %s::regclass",
        (COLUMN, f'"{NAME}".appointments'),
    ).fetchall()
    assert field in comment[0]
