"""The table `freshness` in PostgreSQL: replaced in one transaction, read by other sessions."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from zimun_sync.errors import SinkBroken
from zimun_sync.freshness import COLUMNS
from zimun_sync.sinks import Freshness, ShowsFreshness

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
GOOD = Freshness("main", "appointments", AT, "succeeded", AT, 4, AT)
NEVER = Freshness("ma'in", "staff", None, "failed", None, 0, AT)
QUERY = "SELECT * FROM {0}.freshness ORDER BY stream"


def test_rows_take_the_place_of_all_before(bench: "Bench") -> None:
    sink = bench.opened()
    assert isinstance(sink, ShowsFreshness)
    assert bench.admin(QUERY) == []
    sink.show_freshness([NEVER])
    for _ in range(2):
        sink.show_freshness([GOOD, NEVER])
        assert bench.admin(QUERY) == [GOOD.values, NEVER.values]


def test_readers_see_the_former_rows_until_all_new_ones_are_there(bench: "Bench") -> None:
    sink = bench.opened()
    sink.show_freshness([GOOD])
    with psycopg.connect(bench.url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        query = f"SELECT count(*) FROM {bench.name}.freshness"
        assert reader.execute(query).fetchone() == (1,)
        sink.show_freshness([GOOD, NEVER])
        assert reader.execute(query).fetchone() == (1,)
    assert len(bench.admin(QUERY)) == 2


def test_every_column_says_what_it_means(bench: "Bench") -> None:
    bench.opened()
    found = bench.admin("""
        SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
        WHERE attrelid = '{0}.freshness'::regclass AND attnum > 0 ORDER BY attnum
    """)
    assert found == [(column.name, column.comment) for column in COLUMNS]
    assert bench.admin("SELECT obj_description('{0}.freshness'::regclass)") != [(None,)]


def test_it_is_opened_to_readers_and_is_there_after_opening_again(bench: "Bench") -> None:
    role = bench.role()
    settings = {"publish": {"roles": [role]}}
    sink = bench.opened(**settings)
    sink.show_freshness([GOOD])
    sink.close()
    sink.open(bench.context())
    with psycopg.connect(bench.url_of(role)) as reader:
        query = f"SELECT records FROM {bench.name}.freshness"
        assert reader.execute(query).fetchone() == (4,)


def test_somebody_elses_table_is_left_alone(bench: "Bench") -> None:
    bench.admin("CREATE SCHEMA {0}")
    bench.admin("CREATE TABLE {0}.freshness (mine integer)")
    with pytest.raises(SinkBroken, match="'freshness' is there already"):
        bench.opened()
    assert bench.admin("SELECT * FROM {0}.freshness") == []
