"""The table `freshness`: a file of its own, published as the delta is, and a view over it.

It is neither in the snapshot nor in the delta, so that a pull that changed nothing leaves both as
they are.
"""

from collections.abc import Sequence
from pathlib import Path

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.duckdb import files, sql, view_sql
from zimun_connectors.duckdb.files import Layout
from zimun_connectors.duckdb.state import State
from zimun_sync.freshness import ABOUT, COLUMNS, TABLE, Freshness

#: Name under which the file in the making is attached.
_DATABASE = "fresh"


def ensure(state: State, layout: Layout, access: PublishSettings) -> None:
    """Make the file where it is missing, for the view must never lead nowhere."""
    if not (layout.private_freshness.exists() and layout.freshness.exists()):
        show(state, layout, access, ())


def show(state: State, layout: Layout, access: PublishSettings, rows: Sequence[Freshness]) -> None:
    """Put these rows in place of all others, by one checkpoint and one publication."""
    path = sql.literal(layout.private_freshness)
    state.rows(f"ATTACH {path} AS {_DATABASE} ({sql.STORAGE_WITHOUT_LOG})")
    try:
        with state.transaction():
            _fill(state, rows)
        state.rows(f"CHECKPOINT {_DATABASE}")
    finally:
        state.rows(f"DETACH {_DATABASE}")
    files.publish(layout.private_freshness, layout.freshness, layout, access, detached=True)


def _fill(state: State, rows: Sequence[Freshness]) -> None:
    """Write the table anew, without Arrow: a pull that changed nothing needs it nowhere else."""
    table, columns = f"{_DATABASE}.{TABLE}", ", ".join(map(sql.definition, COLUMNS))
    state.rows(f"CREATE OR REPLACE TABLE {table} ({columns})")
    for row in rows:
        state.rows(sql.insert_values(table, COLUMNS), list(row.values))


def view(database: str, file: Path) -> list[str]:
    """Statements that create the view.

    Args:
        database: the name under which the views' file is attached.
        file: the published file as readers see it.
    """
    relation = f"{database}.{TABLE}"
    return [
        view_sql.shadow(TABLE, COLUMNS),
        view_sql.create_whole_view(relation, COLUMNS, file, TABLE),
        f"COMMENT ON VIEW {relation} IS {sql.literal(ABOUT)}",
        *(sql.column_comment(relation, column) for column in COLUMNS),
    ]
