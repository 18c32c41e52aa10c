"""What the sink says when it cannot work, and that it then leaves everything as it was."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pydantic import ValidationError

from tests.postgres.conftest import restart
from zimun_connectors.postgres import PostgresSettings, connection, connector
from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable
from zimun_sync.sinks import Adopts, Checks, ReadsBack
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.conftest import PostgresServer
    from tests.postgres.conftest import Bench

URL = "postgresql://loader@db.example.org/warehouse"


def test_the_connector_has_its_abilities() -> None:
    sink = connector.build(connector.settings.model_validate({"url": URL}), Path())
    for ability in (ReadsBack, Adopts, Checks):
        assert isinstance(sink, ability)


@pytest.mark.parametrize(
    "wrong",
    [
        {"uri": "x"},
        {"url": "not a url"},
        {"url": f"{URL}?bogus=1"},
        {"url": "postgresql+psycopg://user@host/db"},
        {"schema": ""},
        {"schema": "pg_catalog"},
        {"schema": "s" * 64},
        {"schema": "nul\0"},
        {"publish": {"users": ["me"]}},
        {"publish": {"roles": [""]}},
        {"statement_timeout": 0},
        {"lock_timeout": -1},
        {"application_name": ""},
        {"type": "csv"},
        {"url": "postgresql://u:one@host/db", "password": "two"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PostgresSettings.model_validate({"url": URL} | wrong)


def test_no_message_shows_the_password() -> None:
    settings = PostgresSettings.model_validate({"url": "postgresql://u:hush@db:5433/wh"})
    assert "hush" not in settings.place
    assert settings.place == "PostgreSQL db:5433/wh, schema zimun"
    assert "hush" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        PostgresSettings.model_validate({"url": "hush hush"})
    assert "hush" not in str(caught.value)


def test_every_setting_is_described() -> None:
    properties = PostgresSettings.model_json_schema()["properties"]
    assert all("description" in found for found in properties.values())
    assert "schema" in properties


# -- signing in --------------------------------------------------------------------------


def _refused(
    bench: "Bench", words: str, kind: type[SinkError] = SinkBroken, **settings: Any
) -> str:
    """Both `check` and `open` refuse with those words; the hint."""
    sink = bench.sink(**settings)
    for attempt in (sink.check, sink.open):
        with pytest.raises(kind, match=words) as caught:
            attempt(bench.context())
        assert type(caught.value) is kind
        assert caught.value.hint
    return caught.value.hint


def test_a_wrong_password(bench: "Bench", postgres_server: "PostgresServer") -> None:
    role = bench.role("loader")
    bench.admin("CREATE SCHEMA {0} AUTHORIZATION {1}", role)
    rules = postgres_server._folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
    restart(postgres_server)
    url = bench.url_of(role)
    assert "password" in _refused(bench, "password authentication failed", url=url, password="no")
    assert "password" in _refused(bench, "password", url=url)
    bench.opened(url=url, password="right")


def test_an_unknown_user_or_database(bench: "Bench") -> None:
    _refused(bench, "does not exist", url=bench.url_of("nobody_has_this_role"))
    _refused(bench, "does not exist", url=bench.url.replace("/postgres?", "/no_such_database?"))


def test_a_server_that_does_not_answer(bench: "Bench") -> None:
    hint = _refused(bench, "connection", SinkUnavailable, url="postgresql:///db?host=/nonexistent")
    assert "server" in hint


def test_a_role_with_too_few_connections(bench: "Bench") -> None:
    role = bench.role("loader")
    bench.admin("ALTER ROLE {1} CONNECTION LIMIT 0", role)
    _refused(bench, "too many connections", SinkUnavailable, url=bench.url_of(role))


def test_a_user_without_rights(bench: "Bench") -> None:
    hint = _refused(bench, "permission denied", url=bench.url_of(bench.role("loader")))
    assert "postgres.md" in hint


def test_a_read_only_server(bench: "Bench") -> None:
    role = bench.role("loader")
    bench.admin("CREATE SCHEMA {0} AUTHORIZATION {1}", role)
    bench.admin("ALTER ROLE {1} SET default_transaction_read_only = on", role)
    _refused(bench, "read-only", SinkUnavailable, url=bench.url_of(role))


def test_an_old_server(bench: "Bench", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_OLDEST", 990_000)
    _refused(bench, "needs 15 or later")


def test_a_database_that_cannot_hold_every_name(bench: "Bench") -> None:
    name = f"{bench.name}_latin"
    bench.admin("CREATE DATABASE {1} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", name)
    _refused(bench, "LATIN1", url=bench.url.replace("/postgres?", f"/{name}?"))


# -- the schema --------------------------------------------------------------------------


def test_checking_creates_nothing(bench: "Bench") -> None:
    bench.sink().check(bench.context())
    assert bench.admin(f"SELECT to_regnamespace('{bench.name}')") == [(None,)]


def test_checking_beside_the_running_daemon(bench: "Bench") -> None:
    sink = bench.opened()
    bench.sink().check(bench.context())
    assert sink.write(make_batch(upsert(1, "a_1"))).applied == 1


def test_a_table_of_somebody_else_is_left_alone(bench: "Bench") -> None:
    bench.admin("CREATE SCHEMA {0}")
    bench.admin("CREATE TABLE {0}.staff AS SELECT 42 AS answer")
    _refused(bench, "'staff' is there already")
    assert bench.admin("SELECT * FROM {0}.staff") == [(42,)]
    tables = bench.admin(f"SELECT tablename FROM pg_tables WHERE schemaname = '{bench.name}'")
    assert tables == [("staff",)]


def test_tables_of_somebody_else_with_other_names_are_no_trouble(bench: "Bench") -> None:
    bench.admin("CREATE SCHEMA {0}")
    bench.admin("CREATE TABLE {0}.targets AS SELECT 42 AS answer")
    bench.opened()
    assert bench.admin("SELECT * FROM {0}.targets") == [(42,)]


def test_a_sink_of_a_newer_release(bench: "Bench") -> None:
    bench.opened().close()
    bench.admin("UPDATE {0}._zimun_store SET format = 99")
    _refused(bench, "newer release")


def test_a_column_whose_type_was_changed(bench: "Bench") -> None:
    sink = bench.opened(model=False)  # whose views would keep anybody from doing so
    bench.admin("ALTER TABLE {0}.appointments ALTER COLUMN extra TYPE integer USING 1")
    with pytest.raises(SinkBroken, match="extra") as caught:
        sink.write(make_batch(upsert(1, "a_1")))
    assert "changed the tables" in caught.value.hint


def test_a_table_that_was_dropped_under_the_sink(bench: "Bench") -> None:
    sink = bench.opened()
    bench.admin("DROP TABLE {0}.appointments CASCADE")
    with pytest.raises(SinkBroken, match="does not exist"):
        sink.write(make_batch(upsert(1, "a_1")))


def test_another_sink_on_the_same_schema(bench: "Bench") -> None:
    first = bench.opened(application_name="their loader")
    hint = _refused(bench, "'their loader/warehouse' is writing there already")
    assert "schema" in hint
    assert first.write(make_batch(upsert(1, "a_1"))).applied == 1
    first.close()
    bench.opened()


def test_a_former_session_of_the_same_sink_is_waited_for(bench: "Bench") -> None:
    first = bench.opened()
    second = bench.sink()
    with pytest.raises(SinkUnavailable, match="another session of this sink") as caught:
        second.open(bench.context())
    assert caught.value.hint
    first.close()
    second.open(bench.context())


def test_schemas_of_one_database_have_a_writer_each(bench: "Bench") -> None:
    bench.opened()
    other = bench.sink(schema=f"{bench.name}_2")
    other.open(bench.context())
    assert other.write(make_batch(upsert(1, "a_1"))).applied == 1


# -- in the midst of it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", SinkUnavailable),
        ("40P01", SinkUnavailable),
        ("53100", SinkUnavailable),
        ("53200", SinkUnavailable),
        ("53300", SinkUnavailable),
        ("57P01", SinkUnavailable),
        ("58030", SinkUnavailable),
        ("25006", SinkUnavailable),
        ("XX001", SinkBroken),
        ("42501", SinkBroken),
        ("P0001", psycopg.errors.RaiseException),
    ],
)
def test_an_error_of_the_server_is_told_by_what_to_do(
    bench: "Bench", state: str, kind: type[Exception]
) -> None:
    sink = bench.opened()
    bench.admin(
        "CREATE FUNCTION {0}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'it failed' USING ERRCODE = '{state}', DETAIL = 'Zoë'; END $$"
    )
    bench.admin(
        "CREATE TRIGGER fail BEFORE INSERT ON {0}.appointments "
        "FOR EACH ROW EXECUTE FUNCTION {0}.fail()"
    )
    with pytest.raises(kind) as caught:
        sink.write(make_batch(upsert(1, "a_1")))
    if isinstance(caught.value, SinkError):
        assert caught.value.message.endswith("it failed.")
        assert caught.value.hint
    bench.admin("DROP TRIGGER fail ON {0}.appointments")
    assert sink.write(make_batch(upsert(1, "a_1"))).applied == 1


def test_a_table_that_somebody_locks(bench: "Bench") -> None:
    sink = bench.opened()
    batch = make_batch(upsert(1, "a_1"))
    with psycopg.connect(bench.url) as other:
        other.execute(f"LOCK TABLE {bench.name}.appointments IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SinkUnavailable, match="lock timeout"):
            sink.write(batch)
    assert sink.write(batch).applied == 1


def test_a_statement_that_takes_too_long_names_the_setting(bench: "Bench") -> None:
    sink = bench.opened(statement_timeout=0.3, lock_timeout=60)
    with psycopg.connect(bench.url) as other:
        other.execute(f"LOCK TABLE {bench.name}.appointments IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SinkUnavailable, match="statement timeout") as caught:
            sink.write(make_batch(upsert(1, "a_1")))
    assert "statement_timeout" in caught.value.hint


def test_using_a_sink_that_is_not_open_is_a_bug(bench: "Bench") -> None:
    with pytest.raises(RuntimeError, match="before open"):
        bench.sink().write(make_batch(upsert(1, "a_1")))
