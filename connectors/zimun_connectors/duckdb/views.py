"""The file analysts open: one view a stream, those of the model over them, and nothing else."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import duckdb

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.duckdb import files, freshness, sql, view_sql
from zimun_connectors.duckdb.files import Layout
from zimun_connectors.duckdb.ledger import Ledger
from zimun_sync.errors import SinkBroken
from zimun_sync.marts import fingerprint, models, render, stream_comment
from zimun_sync.model import Stream

#: A schema of its own keeps the marker out of what `SHOW TABLES` lists.
_MARKER = "_zimun_sync"

#: Name under which the file in the making is attached.
_VIEWS = "views"

#: How it is made. A log would be forced to disk after each of 400 statements, for a file that
#: nobody knows until it is whole and on disk itself.
_MAKING = f"STORAGE_VERSION '{view_sql.VIEW_STORAGE}', RECOVERY_MODE NO_WAL_WRITES"


def publish_views(
    ledger: Ledger,
    layout: Layout,
    access: PublishSettings,
    streams: Iterable[Stream],
    *,
    model: bool,
) -> None:
    """Replace the views where their definition or their paths have changed.

    Args:
        ledger: knows what was published last.
        layout: where the files lie.
        access: who may read them.
        streams: each gets a view.
        model: whether the views of `zimun_sync.marts` are wanted too.
    """
    script = _script(layout, streams)
    known_by = [*script, fingerprint()] if model else script
    digest = sha256("\n".join(known_by).encode()).hexdigest()
    if layout.views.exists() and ledger.views() == digest:
        access.grant(layout.views)
        return
    with files.replacing(layout.views, layout, access) as new, _database(new) as connection:
        connection.execute(sql.together([*script, *(_model() if model else [])]))
    ledger.record_views(digest)


def _script(layout: Layout, streams: Iterable[Stream]) -> list[str]:
    snapshot = layout.reader_data / layout.snapshot.name
    delta = layout.reader_data / layout.delta.name
    script = [
        f"CREATE SCHEMA {_VIEWS}.{_MARKER}",
        f"CREATE VIEW {_VIEWS}.{_MARKER}.about AS SELECT 'zimun-sync' AS written_by",
        f"COMMENT ON VIEW {_VIEWS}.{_MARKER}.about IS 'Tells this file from any other.'",
        f"COMMENT ON COLUMN {_VIEWS}.{_MARKER}.about.written_by IS 'Which program made it.'",
        view_sql.SHADOW_READER,
    ]
    for stream in sorted(streams, key=lambda stream: stream.name):
        relation = _relation(stream.name)
        script += [
            view_sql.shadow(stream.name, stream.columns),
            view_sql.create_view(relation, stream, snapshot, delta),
            view_sql.view_comment(relation, stream_comment(stream)),
            *(sql.column_comment(relation, column) for column in stream.columns),
        ]
    return script + freshness.view(_VIEWS, layout.reader_data / layout.freshness.name)


def _model() -> list[str]:
    """Views over the streams' views, which readers find beside them under any database name."""
    script = [f"USE {_VIEWS}"]
    for model in models():
        relation = _relation(model.name)
        query = render(model.name, "duckdb", sql.identifier)
        script += [
            f"CREATE VIEW {relation} AS {query}",
            view_sql.view_comment(relation, model.relation.comment),
            *(sql.column_comment(relation, column) for column in model.relation.columns),
        ]
    return [*script, "USE memory"]


def _relation(name: str) -> str:
    return f"{_VIEWS}.{sql.identifier(name)}"


@contextmanager
def _database(path: Path, options: str = _MAKING) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with that file attached as `views`, in a DuckDB of its own."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"ATTACH {sql.literal(path)} AS {_VIEWS} ({options})")
        yield connection
        connection.execute(f"DETACH {_VIEWS}")


def refuse_foreign(layout: Layout) -> None:
    """Make sure that the sink's path is free or holds a sink's views.

    Raises:
        SinkBroken: something else is there, which must not be overwritten.
    """
    if not layout.views.exists() or layout.state.exists():
        return
    with _database(layout.views, "READ_ONLY") as connection:
        schemas = connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ?", [_VIEWS]
        ).fetchall()
    if (_MARKER,) not in schemas:
        raise SinkBroken(
            f"{layout.views} is there already and is not a file of zimun-sync.",
            hint="Choose another `path` for the sink, or move that file away.",
        )
