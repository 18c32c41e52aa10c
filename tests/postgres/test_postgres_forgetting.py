"""Forgetting: tables are written anew, or a person is told what to do."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Forgotten
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench
    from zimun_connectors.postgres import PostgresSink

_PERSON = Forgotten({("main", "appointments"): ["a_1"]})


def _written(sink: "PostgresSink") -> None:
    sink.write(make_batch(upsert(1, "a_1", notes="secret"), upsert(2, "a_2")))
    sink.write(make_batch(upsert(3, "a_1", notes=None)))


def test_an_older_transaction_is_waited_for(bench: "Bench") -> None:
    """It may still look at former rows, which the server therefore keeps."""
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1", notes="secret")))
    with psycopg.connect(bench.url) as analyst:
        analyst.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        analyst.execute("SELECT 1")
        sink.write(make_batch(upsert(3, "a_1", notes=None)))
        with pytest.raises(SinkUnavailable, match="may still look at former rows") as caught:
            sink.forget(_PERSON)
        assert "pg_stat_activity" in caught.value.hint
    assert sink.forget(_PERSON).complete


def test_a_locked_table_is_tried_later(bench: "Bench") -> None:
    sink = bench.opened()
    _written(sink)
    with psycopg.connect(bench.url) as analyst:
        analyst.execute(f"SELECT 1 FROM {bench.name}.appointments")
        with pytest.raises(SinkUnavailable, match="lock"):
            sink.forget(_PERSON)
    sink.write(make_batch(upsert(4, "a_3")))
    assert sink.forget(_PERSON).complete


def test_who_does_not_own_the_table_says_what_to_run(bench: "Bench") -> None:
    writer = bench.role("writer")
    bench.admin("CREATE SCHEMA {0} AUTHORIZATION {1}", writer)
    sink = bench.opened(url=bench.url_of(writer))
    _written(sink)
    bench.admin("ALTER TABLE {0}.appointments OWNER TO zimun")
    bench.admin("GRANT ALL ON {0}.appointments TO {1}", writer)
    if _knows_maintain(bench):
        bench.admin("REVOKE MAINTAIN ON {0}.appointments FROM {1}", writer)
    erasure = sink.forget(_PERSON)
    assert not erasure.complete
    assert f'VACUUM (FULL, ANALYZE) "{bench.name}"."appointments"' in erasure.message


def _knows_maintain(bench: "Bench") -> bool:
    """Whether the server knows that right, which `GRANT ALL` includes."""
    return int(str(bench.admin("SHOW server_version_num")[0][0])) >= 170_000


def test_the_planner_knows_nothing_of_them(bench: "Bench") -> None:
    sink = bench.opened()
    changes = [upsert(n, f"a_{n}", notes=f"secret {n % 3}") for n in range(1, 1101)]
    sink.write(make_batch(*changes))
    bench.admin("ANALYZE {0}.appointments")
    query = (
        "SELECT count(*) FROM pg_stats WHERE tablename = 'appointments'"
        " AND most_common_vals::text LIKE '%secret%'"
    )
    assert bench.admin(query) != [(0,)]
    sink.write(make_batch(*(upsert(n + 2000, f"a_{n}", notes=None) for n in range(1, 1101))))
    keys = [change.key for change in changes]
    assert sink.forget(Forgotten({("main", "appointments"): keys})).complete
    assert bench.admin(query) == [(0,)]
