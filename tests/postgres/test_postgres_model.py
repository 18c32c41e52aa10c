"""The model's views in the schema: made, replaced, and never at the cost of others' work."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from zimun_sync.errors import SinkBroken
from zimun_sync.marts import models
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench

NAMES = {model.name for model in models()}
OURS = "A view. Made by zimun-sync; definition 0123456789ab."
QUESTION = "SELECT bookings FROM {0}.metrics_daily"


def _views(bench: "Bench") -> dict[str, int]:
    found = bench.admin(
        "SELECT relname, oid FROM pg_class WHERE relkind = 'v' "
        f"AND relnamespace = to_regnamespace('{bench.name}')"
    )
    return dict(found)


def _age(bench: "Bench", view: str, definition: str) -> None:
    """Put a former release's definition in a view's place, with whatever depended on it."""
    bench.admin(f"DROP VIEW IF EXISTS {{0}}.{view} CASCADE")
    bench.admin(f"CREATE VIEW {{0}}.{view} AS {definition}")
    bench.admin(f"COMMENT ON VIEW {{0}}.{view} IS '{OURS}'")


def test_they_show_each_change_when_it_is_written(bench: "Bench") -> None:
    sink = bench.opened()
    assert _views(bench).keys() == NAMES
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    assert bench.admin(QUESTION) == [(2,)]
    sink.write(make_batch(upsert(3, "a_2", status="cancelled")))
    assert bench.admin(QUESTION) == [(1,)]


def test_without_the_setting_none_is_made_and_none_is_taken_away(bench: "Bench") -> None:
    bench.opened(model=False).close()
    assert not _views(bench)
    bench.opened().close()
    before = _views(bench)
    bench.opened(model=False)
    assert _views(bench) == before


def test_a_view_of_a_former_release_is_replaced(bench: "Bench") -> None:
    bench.opened().close()
    columns = ", ".join(f"'' AS {column}" for column in ("_source", "service_id"))
    _age(bench, "dim_service", f"SELECT {columns} WHERE false")
    bench.opened().write(make_batch(upsert(1, "a_1")))
    assert bench.admin("SELECT count(duration_minutes) FROM {0}.dim_service") == [(0,)]
    assert _views(bench).keys() == NAMES


def test_a_view_with_other_columns_is_made_anew_with_those_on_top_of_it(bench: "Bench") -> None:
    bench.opened().close()
    _age(bench, "fact_appointments", "SELECT 1 AS former")
    _age(bench, "metrics_daily", f"SELECT former FROM {bench.name}.fact_appointments")
    bench.opened().write(make_batch(upsert(1, "a_1")))
    assert bench.admin(QUESTION) == [(1,)]
    assert _views(bench).keys() == NAMES


def test_a_view_of_somebodys_on_top_of_an_old_one_stays_and_is_named(bench: "Bench") -> None:
    bench.opened().write(make_batch(upsert(1, "a_1")))
    bench.sinks.pop().close()
    _age(bench, "fact_appointments", "SELECT 1 AS former")
    bench.admin("CREATE VIEW {0}.mine AS SELECT former FROM {0}.fact_appointments")
    before = _views(bench)
    with pytest.raises(SinkBroken, match=r"\bmine\b") as caught:
        bench.opened()
    assert "Drop" in caught.value.hint
    assert _views(bench) == before
    assert bench.admin("SELECT former FROM {0}.mine") == [(1,)]
    bench.admin("DROP VIEW {0}.mine")
    bench.opened()
    assert bench.admin(QUESTION) == [(1,)]


@pytest.mark.parametrize("kind", ["VIEW", "TABLE", "MATERIALIZED VIEW"])
def test_somebodys_own_under_one_of_the_names_is_not_touched(bench: "Bench", kind: str) -> None:
    bench.opened(model=False).close()
    bench.admin(f"CREATE {kind} {{0}}.dim_staff AS SELECT 1 AS mine")
    with pytest.raises(SinkBroken, match="dim_staff") as caught:
        bench.opened()
    assert "model: false" in caught.value.hint
    assert bench.admin("SELECT mine FROM {0}.dim_staff") == [(1,)]
    assert _views(bench).keys() <= {"dim_staff"}
    bench.opened(model=False)


def test_published_roles_read_them_after_each_renewal(bench: "Bench") -> None:
    reader = bench.role()
    for _ in range(2):
        bench.opened(publish={"roles": [reader]}).close()
        with psycopg.connect(bench.url_of(reader)) as analyst:
            for name in NAMES:
                analyst.execute(f"SELECT * FROM {bench.name}.{name}")
        _age(bench, "fact_appointments", "SELECT 1 AS former")


def test_a_column_that_somebody_added_can_be_dropped_under_them(bench: "Bench") -> None:
    bench.opened(model=False).close()
    bench.admin("ALTER TABLE {0}.appointments ADD COLUMN mine text")
    bench.opened().close()
    bench.admin("ALTER TABLE {0}.appointments DROP COLUMN mine")
    assert _views(bench).keys() == NAMES
