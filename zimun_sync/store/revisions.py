"""Which schema a state has, and whether this release knows it."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import StateTooNew, StateUnreadable
from zimun_sync.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

#: The schema this release writes; the newest file in `migrations/versions`.
HEAD = "0006"

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


def no_state(connection: Connection) -> StateUnreadable:
    """The error for a database that holds something else."""
    url = connection.engine.url
    name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
    return StateUnreadable(
        f"{name} is a database, but not a zimun-sync state.",
        hint="Check `state` in the configuration: zimun-sync needs a database of its own.",
    )


def refuse_newer(found: str) -> None:
    """Refuse a schema that this release does not know.

    Raises:
        StateTooNew: a newer release wrote it.
    """
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(migrations())
    if found not in {script.revision for script in scripts.walk_revisions()}:
        raise StateTooNew(
            f"The state has schema {found}; this release of zimun-sync knows {HEAD}.",
            hint="Install the release that wrote it, or a newer one.",
        )


def migrations() -> "Config":
    """Where Alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
