"""Which schema a state has, and whether this release knows it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import StateTooNew, StateUnreadable
from zimun_sync.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

#: The schema this release writes; the newest file in `migrations/versions`.
HEAD = "0010"

#: Where Alembic keeps the schema.
_ALEMBIC = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_MIGRATIONS = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """The schema that is there; None where there is nothing of ours and nothing in our way.

    Raises:
        StateUnreadable: it is another program's database.
    """
    tables = set(sa.inspect(connection).get_table_names())
    if {"alembic_version", "identity"} <= tables:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()
        known: str | None = found.one_or_none()
        if known is not None:
            return known
    if tables & {"alembic_version", *metadata.tables}:
        raise no_state(connection)
    return None


def create(connection: Connection) -> None:
    """Make the tables as migrations would leave them; importing those takes longer than this."""
    metadata.create_all(connection, checkfirst=False)
    # Its condition, in the table's definition, would have every start import another dialect.
    deleted = "deleted = 1" if connection.dialect.name == "sqlite" else "deleted"
    connection.exec_driver_sql("DROP INDEX records_deleted")
    connection.exec_driver_sql(f"CREATE INDEX records_deleted ON records (listing) WHERE {deleted}")
    _ALEMBIC.create(connection)
    connection.execute(sa.insert(_ALEMBIC).values(version_num=HEAD))


def upgrade(connection: Connection) -> None:
    """Bring the tables to this release's schema."""
    from alembic import command

    config = migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def no_state(connection: Connection) -> StateUnreadable:
    """The error for a database that holds something else."""
    url = connection.engine.url
    name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
    return StateUnreadable(
        f"{name} is a database, but not a zimun-sync state.",
        hint="Check `state` in the configuration: zimun-sync needs a database of its own.",
    )


def refuse_newer(found: str, backups: Sequence[tuple[str, Path]] = ()) -> None:
    """Refuse a schema that this release does not know.

    Args:
        found: the state's schema.
        backups: copies that were made before it was migrated, by their schema, the newest first.

    Raises:
        StateTooNew: a newer release wrote it.
    """
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(migrations())
    known = {script.revision for script in scripts.walk_revisions()}
    if found in known:
        return
    way_back = next((file for schema, file in backups if schema in known), None)
    raise StateTooNew(
        f"The state has schema {found}; this release of zimun-sync knows {HEAD}.",
        hint="Install the release that wrote it, or a newer one."
        + (
            f" Or go back to how it was before that: `zimun-sync state restore {way_back}`."
            if way_back
            else ""
        ),
    )


def migrations() -> "Config":
    """Where Alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
