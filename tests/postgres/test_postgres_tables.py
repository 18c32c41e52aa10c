"""Tables, comments, indexes and grants follow the streams, from release to release."""

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from zimun_connectors.postgres.sql import OWN_COLUMNS
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.model import APPOINTMENTS, STREAMS, Column, ColumnType, Stream
from zimun_sync.testing import make_batch, make_row, upsert

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench

COLOUR = Column("colour", ColumnType.TEXT, "Colour in the calendar; the customer's choice.")
NEWER = replace(
    APPOINTMENTS, content=(*APPOINTMENTS.content[:3], COLOUR, *APPOINTMENTS.content[3:])
)
ROOMS = Stream("rooms", "room_id", (Column("room_id", ColumnType.TEXT, "The room."),))
COMMENTS = """
    SELECT relname, attname, col_description(c.oid, attnum) FROM pg_class AS c
    JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind = 'r' AND relnamespace = to_regnamespace('{0}') ORDER BY relname, attnum
"""


def _comments(bench: "Bench") -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, text in bench.admin(COMMENTS.replace("'{0}'", f"'{bench.name}'")):
        found.setdefault(table, {})[column] = text
    return found


def test_every_column_carries_its_meaning(bench: "Bench") -> None:
    bench.opened()
    found = _comments(bench)
    for stream in STREAMS.values():
        wanted = {column.name: column.comment for column in stream.columns}
        assert found[stream.name] == wanted | OWN_COLUMNS


def test_no_table_and_no_column_is_without_comment(bench: "Bench") -> None:
    bench.opened()
    assert all(text for columns in _comments(bench).values() for text in columns.values())
    tables = bench.admin(
        "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
        f"WHERE relkind = 'r' AND relnamespace = to_regnamespace('{bench.name}')"
    )
    assert len(tables) == len(STREAMS) + 4  # and `freshness`
    assert all(text for _, text in tables)


def test_types_are_postgresqls_own(bench: "Bench") -> None:
    bench.opened()
    rows = bench.admin(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = '{bench.name}.appointments'::regclass AND attnum > 0"
    )
    found = dict(rows)
    wanted = {
        "appointment_id": "text",
        "starts_at": "timestamp with time zone",
        "local_start": "timestamp without time zone",
        "local_date": "date",
        "duration_minutes": "bigint",
        "price_amount": "numeric(18,4)",
        "extra": "jsonb",
    }
    assert found | wanted == found


def test_what_dashboards_filter_by_is_indexed_and_nothing_personal(bench: "Bench") -> None:
    bench.opened()
    found = bench.admin(
        f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{bench.name}' "
        "AND tablename = 'appointments'"
    )
    columns = {definition.rpartition("(")[2].rstrip(")") for (definition,) in found}
    indexed = {"local_date", "starts_at", "updated_at", "_synced_at"}
    assert columns == indexed | {"_source, appointment_id"}


def test_a_new_column_appears_without_a_reload(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1", notes="old")))
    sink.close()
    bench.streams = STREAMS | {"appointments": NEWER}
    sink = bench.opened()
    question = "SELECT appointment_id, notes, colour FROM {0}.appointments ORDER BY 1"
    assert bench.admin(question) == [("a_1", "old", None)]
    row = make_row(NEWER, "a_2", colour="red")
    sink.write(make_batch(upsert(2, "a_2", row), stream=NEWER))
    assert bench.admin(question) == [("a_1", "old", None), ("a_2", None, "red")]
    assert _comments(bench)["appointments"]["colour"] == COLOUR.comment


def test_a_column_that_a_batch_brings_is_added_on_the_way(bench: "Bench") -> None:
    sink = bench.opened()
    row = make_row(NEWER, "a_1", colour="red")
    sink.write(make_batch(upsert(1, "a_1", row), stream=NEWER))
    assert bench.admin("SELECT colour FROM {0}.appointments") == [("red",)]
    sink.write(make_batch(upsert(2, "a_2")))
    assert bench.admin("SELECT count(*), count(colour) FROM {0}.appointments") == [(2, 1)]


def test_a_table_that_lacks_a_column_its_comment_and_its_index_is_completed(
    bench: "Bench",
) -> None:
    bench.opened().close()
    bench.admin("ALTER TABLE {0}.appointments DROP COLUMN starts_at CASCADE")
    bench.admin("ALTER TABLE {0}.appointments DROP COLUMN notes CASCADE")
    bench.admin("COMMENT ON COLUMN {0}.appointments.status IS 'scribble'")
    before = {**_comments(bench)["appointments"], "status": "scribble"}
    bench.opened().write(make_batch(upsert(1, "a_1", notes="hello")))
    after = _comments(bench)["appointments"]
    assert after.keys() - before.keys() == {"starts_at", "notes"}
    assert after["status"] != "scribble"
    assert bench.admin("SELECT notes, starts_at IS NULL FROM {0}.appointments") == [
        ("hello", False)
    ]
    indexes = bench.admin(f"SELECT indexname FROM pg_indexes WHERE schemaname = '{bench.name}'")
    assert ("appointments_starts_at_idx",) in indexes


def test_what_an_analyst_added_stays(bench: "Bench") -> None:
    bench.opened().write(make_batch(upsert(1, "a_1")))
    bench.admin("ALTER TABLE {0}.appointments ADD COLUMN flag text DEFAULT 'mine'")
    bench.admin("CREATE VIEW {0}.busy AS SELECT * FROM {0}.appointments")
    bench.sinks.pop().close()
    bench.opened().write(make_batch(upsert(2, "a_1", notes="new")))
    assert bench.admin("SELECT notes, flag FROM {0}.busy") == [("new", "mine")]


def test_opening_again_changes_nothing_of_the_schema(bench: "Bench") -> None:
    reader = bench.role()
    bench.opened(publish={"roles": [reader]}).close()
    catalog = (
        "SELECT xmin::text, oid FROM pg_class "
        f"WHERE relnamespace = to_regnamespace('{bench.name}') ORDER BY oid"
    )
    before = bench.admin(catalog)
    bench.opened(publish={"roles": [reader]})
    assert bench.admin(catalog) == before


def test_a_stream_of_another_package_gets_its_table_with_its_first_batch(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "r_1", make_row(ROOMS, "r_1")), stream=ROOMS))
    assert bench.admin("SELECT room_id FROM {0}.rooms") == [("r_1",)]
    assert [key for key, _ in sink.read_back("main", ROOMS)] == ["r_1"]


def test_names_are_quoted_wherever_they_come_from(bench: "Bench") -> None:
    odd = Column('we"ird %; --', ColumnType.INTEGER, "It's odd.")
    stream = Stream("order", "select", (Column("select", ColumnType.TEXT, "Key."), odd))
    bench.name = f'{bench.name} "x"; %s {{}}'
    sink = bench.opened()
    row = make_row(stream, "k", **{odd.name: 3})
    assert sink.write(make_batch(upsert(1, "k", row), stream=stream)).applied == 1
    assert bench.admin("SELECT {1}, {2} FROM {0}.{3}", "select", odd.name, "order") == [("k", 3)]


def test_a_name_too_long_for_postgresql_is_refused_rather_than_cut(bench: "Bench") -> None:
    long = replace(ROOMS, content=(*ROOMS.content, Column("ä" * 32, ColumnType.TEXT, "Long.")))
    with pytest.raises(SinkBroken, match="63 bytes") as caught:
        bench.opened().write(make_batch(upsert(1, "r", make_row(long, "r")), stream=long))
    assert caught.value.hint


def test_published_roles_read_the_streams_and_nothing_else(bench: "Bench") -> None:
    reader = bench.role()
    sink = bench.opened(publish={"roles": [reader]})
    sink.write(make_batch(upsert(1, "a_1")))
    sink.write(make_batch(upsert(1, "r_1", make_row(ROOMS, "r_1")), stream=ROOMS))
    with psycopg.connect(bench.url_of(reader), autocommit=True) as analyst:
        for name in (*STREAMS, "rooms"):
            analyst.execute(f"SELECT * FROM {bench.name}.{name}")
        for forbidden in ("SELECT * FROM {}._zimun_store", "DELETE FROM {}.appointments"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                analyst.execute(forbidden.format(bench.name))


def test_an_unknown_role_is_named_and_nothing_is_left_half_made(bench: "Bench") -> None:
    sink = bench.sink(publish={"roles": ["nobody_has_this_role"]})
    for attempt in (sink.check, sink.open):
        with pytest.raises(SinkBroken, match="nobody_has_this_role") as caught:
            attempt(bench.context())
        assert caught.value.hint
    assert bench.admin(f"SELECT to_regnamespace('{bench.name}')") == [(None,)]


def test_a_user_who_may_not_pass_rights_on_is_told_so(bench: "Bench") -> None:
    writer, reader = bench.role("writer"), bench.role()
    bench.admin("CREATE SCHEMA {0}")
    bench.admin("GRANT USAGE, CREATE ON SCHEMA {0} TO {1}", writer)
    with pytest.raises(SinkBroken, match=reader) as caught:
        bench.opened(url=bench.url_of(writer), publish={"roles": [reader]})
    assert "OWNER" in caught.value.hint


def test_a_reader_in_the_way_of_a_new_column_only_puts_it_off(bench: "Bench") -> None:
    bench.opened().close()
    bench.streams = STREAMS | {"appointments": NEWER}
    with psycopg.connect(bench.url) as reader:
        reader.execute(f"SELECT * FROM {bench.name}.appointments")
        with pytest.raises(SinkUnavailable, match="lock timeout"):
            bench.opened()
    bench.opened()
    assert bench.admin("SELECT colour FROM {0}.appointments") == []
