"""The schema that migrations make is the one the code means, on both databases."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.store.conftest import Feed, Listing, State, record
from zimun_sync.errors import StateTooNew, StateUnreadable, StoreError
from zimun_sync.store import Store
from zimun_sync.store import migrations as migrations_package
from zimun_sync.store.database import Database
from zimun_sync.store.revisions import HEAD, upgrade
from zimun_sync.store.schema import metadata


def shape(database: Database) -> dict[str, Any]:
    """Every table with its columns, keys and indexes, as the database itself tells."""
    with database.read() as connection:
        found = sa.inspect(connection)
        return {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"])
                    for column in found.get_columns(table)
                },
                "primary key": found.get_pk_constraint(table),
                "unique": sorted(found.get_unique_constraints(table), key=str),
                "indexes": sorted(_told(index) for index in found.get_indexes(table)),
            }
            for table in found.get_table_names()
        }


def _told(index: Any) -> str:
    """An index in words, its condition too."""
    conditions = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str({**index, "dialect_options": conditions})


def migrate_from_nothing(database: Database) -> None:
    with database.write(durable=True) as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        upgrade(connection)


def test_migrations_make_the_schema_that_the_code_means(store: Store) -> None:
    """A new state is made without them, and is the same."""
    database = store._database
    made = shape(database)
    migrate_from_nothing(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert shape(database) == made


def test_the_newest_migration_is_the_one_this_release_writes() -> None:
    scripts = ScriptDirectory(str(Path(migrations_package.__file__).parent))
    assert scripts.get_current_head() == HEAD


def test_opening_again_finds_the_same_state(state: State, listing: Listing) -> None:
    listing.page(record("a"))
    again = state.open()
    assert again.store_id == listing.store.store_id
    assert Feed(again).names() == {"a": "Cut"}


def test_a_source_keeps_its_organization(state: State, store: Store) -> None:
    assert store.organization("main") is None
    store.remember_organization("main", "o_1")
    store.add_source("main")
    assert state.open().organization("main") == "o_1"


def test_a_source_keeps_its_sequence_when_it_is_added_again(listing: Listing) -> None:
    listing.page(record("a"))
    listing.store.add_source("main")
    assert listing.store.feed.heads() == {"main": 1}


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_newer_postgresql_state_is_refused(postgres_url: str, tmp_path: Path) -> None:
    Store.open(postgres_url, tmp_path).close()
    execute(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateTooNew, match="9999") as raised:
        Store.open(postgres_url, tmp_path)
    assert raised.value.hint


@pytest.mark.parametrize("table", ["runs (id int)", "alembic_version (version_num text)"])
def test_somebody_elses_postgresql_database_is_refused(
    postgres_url: str, tmp_path: Path, table: str
) -> None:
    execute(postgres_url, f"CREATE TABLE {table}")
    with pytest.raises(StateUnreadable, match="not a zimun-sync state") as raised:
        Store.open(postgres_url, tmp_path)
    assert "of its own" in raised.value.hint


def test_a_postgresql_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://user:hunter2@/db?host={tmp_path}"
    with pytest.raises(StoreError, match="not available") as raised:
        Store.open(url, tmp_path)
    assert raised.value.hint
    assert "hunter2" not in raised.value.message


def test_a_connection_that_broke_is_made_anew(postgres_url: str, tmp_path: Path) -> None:
    with Store.open(postgres_url, tmp_path) as store:
        execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert store.runs.recent() == []
