"""The file analysts open: one view a stream, and nothing else."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import duckdb

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.duckdb import files, sql
from zimun_connectors.duckdb.files import Layout
from zimun_connectors.duckdb.ledger import Ledger
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Stream

#: A schema of its own keeps the marker out of what `SHOW TABLES` lists.
_MARKER = "_zimun_sync"


def publish_views(
    ledger: Ledger, layout: Layout, access: PublishSettings, streams: Iterable[Stream]
) -> None:
    """Replace the views where their definition or their paths have changed."""
    script = _script(layout, streams)
    digest = sha256("\n".join(script).encode()).hexdigest()
    if layout.views.exists() and ledger.views() == digest:
        access.grant(layout.views)
        return
    with files.replacing(layout.views, layout, access) as new, _database(new) as connection:
        for statement in script:
            connection.execute(statement)
    ledger.record_views(digest)


def _script(layout: Layout, streams: Iterable[Stream]) -> list[str]:
    snapshot = layout.reader_data / layout.snapshot.name
    delta = layout.reader_data / layout.delta.name
    script = [
        f"CREATE SCHEMA views.{_MARKER}",
        f"CREATE VIEW views.{_MARKER}.about AS SELECT 'zimun-sync' AS written_by",
    ]
    for stream in sorted(streams, key=lambda stream: stream.name):
        relation = f"views.{sql.identifier(stream.name)}"
        script += [
            sql.shadow_reader(stream),
            sql.create_view(relation, stream, snapshot, delta),
            *(sql.column_comment(relation, column) for column in stream.columns),
        ]
    return script


@contextmanager
def _database(
    path: Path, options: str = f"STORAGE_VERSION '{sql.VIEW_STORAGE}'"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with that file attached as `views`, in a DuckDB of its own."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"ATTACH {sql.literal(path)} AS views ({options})")
        yield connection
        connection.execute("DETACH views")


def refuse_foreign(layout: Layout) -> None:
    """Make sure that the sink's path is free or holds a sink's views.

    Raises:
        SinkBroken: something else is there, which must not be overwritten.
    """
    if not layout.views.exists() or layout.state.exists():
        return
    with _database(layout.views, "READ_ONLY") as connection:
        schemas = connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'views'"
        ).fetchall()
    if (_MARKER,) not in schemas:
        raise SinkBroken(
            f"{layout.views} is there already and is not a file of zimun-sync.",
            hint="Choose another `path` for the sink, or move that file away.",
        )
