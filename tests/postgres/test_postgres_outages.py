"""The server goes away and comes back; readers notice nothing of the writer."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.postgres.conftest import restart
from zimun_sync.errors import SinkUnavailable
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.conftest import PostgresServer
    from tests.postgres.conftest import Bench

COUNT = "SELECT count(*) FROM {0}.appointments"


def test_a_restart_of_the_server_in_mid_run(
    bench: "Bench", postgres_server: "PostgresServer"
) -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    restart(postgres_server)
    batch = make_batch(upsert(2, "a_2"), delete(3, "a_1"))
    with pytest.raises(SinkUnavailable) as caught:
        sink.write(batch)
    assert caught.value.hint
    sink.open(bench.context())
    assert sink.write(batch).applied == 2
    assert bench.admin("SELECT appointment_id FROM {0}.appointments") == [("a_2",)]


def test_a_session_that_an_administrator_ends(bench: "Bench") -> None:
    sink = bench.opened()
    ended = bench.admin(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'zimun-sync/warehouse'"
    )
    assert ended == [(True,)]
    batch = make_batch(upsert(1, "a_1"))
    for _ in range(2):
        with pytest.raises(SinkUnavailable):
            sink.write(batch)
    with pytest.raises(SinkUnavailable):
        list(sink.read_back("main", batch.stream))
    sink.open(bench.context())
    assert sink.write(batch).applied == 1


def test_a_batch_cut_off_in_its_midst_leaves_no_part_of_it(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    bench.admin(
        "CREATE FUNCTION {0}.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    bench.admin(
        "CREATE TRIGGER die AFTER INSERT OR UPDATE ON {0}._zimun_position "
        "FOR EACH ROW EXECUTE FUNCTION {0}.die()"
    )
    batch = make_batch(upsert(2, "a_2"), upsert(3, "a_3"))
    with pytest.raises(SinkUnavailable):
        sink.write(batch)
    assert bench.admin(COUNT) == [(1,)]
    bench.admin("DROP TRIGGER die ON {0}._zimun_position")
    sink.open(bench.context())
    assert sink.write(batch).applied == 2


def test_an_open_reader_keeps_what_it_saw_and_stops_nobody(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 11))))
    question = COUNT.format(bench.name)
    with psycopg.connect(bench.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute(question).fetchall() == [(10,)]
        changes = [delete(seq + 10, f"a_{seq}") for seq in range(1, 6)]
        assert sink.write(make_batch(*changes, upsert(20, "b_1"))).applied == 6
        sink.close()
        sink.open(bench.context())
        sink.open(bench.context(adopting=True, store_id="store-2"))
        sink.adopt(bench.context(store_id="store-2"))
        assert reader.execute(question).fetchall() == [(10,)]
        reader.commit()
        assert reader.execute(question).fetchall() == [(6,)]


def test_readers_see_a_batch_as_a_whole(bench: "Bench") -> None:
    sink = bench.opened()
    bench.admin("CREATE TABLE {0}.seen (records bigint)")
    bench.admin(
        "CREATE FUNCTION {0}.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO {0}.seen SELECT count(*) FROM {0}.appointments; RETURN NULL; END $$"
    )
    bench.admin(
        "CREATE TRIGGER look AFTER INSERT ON {0}.appointments "
        "FOR EACH STATEMENT EXECUTE FUNCTION {0}.look()"
    )
    sink.write(make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 101))))
    assert bench.admin("SELECT records FROM {0}.seen") == [(100,)]


def test_acknowledged_means_on_the_disk_whatever_the_role_is_set_to(bench: "Bench") -> None:
    role = bench.role("loader")
    bench.admin("CREATE SCHEMA {0} AUTHORIZATION {1}", role)
    bench.admin("ALTER ROLE {1} SET synchronous_commit = off", role)
    sink = bench.opened(url=bench.url_of(role))
    assert sink._session is not None
    shown = sink._session.connection.execute("SHOW synchronous_commit").fetchall()
    assert shown == [("on",)]
