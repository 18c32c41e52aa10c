"""States that former releases wrote, as SQL: `fixtures/state-NNNN.sql`, NNNN being their schema.

Each was made by the code of that time, with the same nights at the same salon. When the schema
changes, keep one that the release before wrote:

    python -m tests.store.released state.db > tests/store/fixtures/state-NNNN.sql
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command

from zimun_sync.store.revisions import migrations

_FOLDER: Final = Path(__file__).parent / "fixtures"
_PREFIX: Final = "state-"
#: Schemas that there is a state of.
SCHEMAS: Final = tuple(sorted(file.stem.removeprefix(_PREFIX) for file in _FOLDER.glob("*.sql")))


def migrate(url: str, schema: str) -> None:
    """Bring a database to a schema."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, schema)
    engine.dispose()


def lay(schema: str, url: str, folder: Path) -> None:
    """Put the state of that schema where `url` says; a SQLite file goes into the folder."""
    if url.startswith("sqlite"):
        path = folder / "state.db"
        path.touch(0o600)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(f"PRAGMA journal_mode = WAL; {_dump(schema)}")
        return
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    migrate(address, schema)
    with closing(sqlite3.connect(":memory:")) as source:
        source.executescript(_dump(schema))
        _copy(source, address)


def _dump(schema: str) -> str:
    return (_FOLDER / f"{_PREFIX}{schema}.sql").read_text(encoding="utf-8")


def _copy(source: sqlite3.Connection, url: str) -> None:
    source.row_factory = sqlite3.Row
    engine = sa.create_engine(url)
    with engine.begin() as target:
        metadata = sa.MetaData()
        metadata.reflect(target)
        for table in metadata.tables.values():
            rows = source.execute(f'SELECT * FROM "{table.name}"').fetchall()
            if rows and table.name != "alembic_version":
                target.execute(sa.insert(table), [_typed(table, row) for row in rows])
                _count_on(target, table)
    engine.dispose()


def _typed(table: sa.Table, row: sqlite3.Row) -> dict[str, Any]:
    """SQLite has no booleans."""
    truths = {column.name for column in table.columns if isinstance(column.type, sa.Boolean)}
    return {name: bool(row[name]) if name in truths else row[name] for name in row.keys()}  # noqa: SIM118 - a Row is no dict


def _count_on(target: sa.Connection, table: sa.Table) -> None:
    """Let identifiers that PostgreSQL gives go on behind those that were copied."""
    if isinstance(table.columns.get("id"), sa.Column):
        top = sa.select(sa.func.max(table.c.id)).scalar_subquery()
        counter = sa.func.pg_get_serial_sequence(table.name, "id")
        target.execute(sa.select(sa.func.setval(counter, top)))


def main(path: str) -> None:
    """Print a state as SQL."""
    with closing(sqlite3.connect(path)) as database:
        sys.stdout.writelines(f"{line}\n" for line in database.iterdump())


if __name__ == "__main__":
    main(sys.argv[1])
