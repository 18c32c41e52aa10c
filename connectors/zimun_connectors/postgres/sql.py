"""The SQL of the PostgreSQL sink, whose names and values `psycopg.sql` quotes.

No statement with names has placeholders: psycopg would take a `%` in a name for one.
"""

from collections.abc import Iterable
from typing import Final, LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from zimun_sync.marts import stream_comment
from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, Column, ColumnType, Stream

#: PostgreSQL's names of the types, as `COPY` is told them.
TYPES: Final[dict[ColumnType, LiteralString]] = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: "bigint",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DECIMAL: "numeric",
    ColumnType.INSTANT: "timestamptz",
    ColumnType.LOCAL_TIME: "timestamp",
    ColumnType.DATE: "date",
    ColumnType.JSON: "jsonb",
}
_DECIMAL: Final = SQL("numeric({}, {})").format(Literal(DECIMAL_PRECISION), Literal(DECIMAL_SCALE))

#: Columns that dashboards filter by, where a stream has them.
_INDEXED: Final = ("local_date", "starts_at", "updated_at", "_synced_at")

#: Columns of each table that are the sink's own.
HASH, ADOPTION = "_hash", "_adoption"
OWN_COLUMNS: Final[dict[str, str]] = {
    HASH: "Hash of the row's content, for zimun-sync.",
    ADOPTION: "Which of its stores wrote the row (see _zimun_store), for zimun-sync.",
}
SYSTEM_TABLES: Final = ("_zimun_store", "_zimun_position", "_zimun_tombstone")

#: Rows that are read back at a time.
_READ_BACK_ROWS: Final = 50_000


def create_system_tables(schema: str) -> Composed:
    """Which store fills the schema, how far it came, and what it has deleted."""
    return SQL("""
        CREATE TABLE {store} (format integer NOT NULL, store_id text, adoption integer NOT NULL);
        CREATE TABLE {position} (
            source text, stream text, seq bigint NOT NULL, PRIMARY KEY (source, stream));
        CREATE TABLE {tombstone} (
            stream text, source text, key text, seq bigint NOT NULL,
            PRIMARY KEY (stream, source, key));
        COMMENT ON TABLE {store} IS 'Which zimun-sync store fills this schema.';
        COMMENT ON COLUMN {store}.format IS 'Version of these tables.';
        COMMENT ON COLUMN {store}.store_id IS 'Identity of that store.';
        COMMENT ON COLUMN {store}.adoption IS 'How often the schema was given to another store.';
        COMMENT ON TABLE {position} IS 'How far each source and stream is written.';
        COMMENT ON COLUMN {position}.source IS 'Name of the configured source.';
        COMMENT ON COLUMN {position}.stream IS 'Name of the stream, and of its table.';
        COMMENT ON COLUMN {position}.seq IS 'Sequence of the last change written.';
        COMMENT ON TABLE {tombstone} IS 'Records that are deleted, so that none comes back.';
        COMMENT ON COLUMN {tombstone}.stream IS 'Name of the stream, and of its table.';
        COMMENT ON COLUMN {tombstone}.source IS 'Name of the configured source.';
        COMMENT ON COLUMN {tombstone}.key IS 'Key of the deleted record.';
        COMMENT ON COLUMN {tombstone}.seq IS 'Sequence of the deletion.';
    """).format(**system_tables(schema))


def system_tables(schema: str) -> dict[str, Composable]:
    """The sink's own tables as `store`, `position` and `tombstone`."""
    return {
        name.removeprefix("_zimun_"): table(schema, name)  # the names that statements use
        for name in SYSTEM_TABLES
    }


def table(schema: str, name: str) -> Identifier:
    """A table with its schema."""
    return Identifier(schema, name)


def trusted(statement: str) -> Composable:
    """A statement of the project's own files, whose names are quoted already."""
    return SQL(statement.replace("{", "{{").replace("}", "}}")).format()


def staging(stream: Stream) -> Identifier:
    """The session's own table that batches of the stream are copied into."""
    return Identifier("pg_temp", stream.name)


def _names(names: Iterable[str], prefix: str = "") -> Composed:
    owner = SQL("{}.").format(Identifier(prefix)) if prefix else SQL("")
    return SQL(", ").join(owner + Identifier(name) for name in names)


def _type(column: Column) -> Composable:
    return _DECIMAL if column.type is ColumnType.DECIMAL else SQL(TYPES[column.type])


def definitions(columns: Iterable[Column]) -> Composed:
    """The columns as `CREATE TABLE` takes them."""
    return SQL(", ").join(
        SQL("{} {}").format(Identifier(column.name), _type(column)) for column in columns
    )


def create_table(schema: str, stream: Stream) -> Composed:
    """The stream's table: its columns, then the sink's own."""
    return SQL("""
        CREATE TABLE {} ({}, _hash uuid, _adoption integer NOT NULL, PRIMARY KEY (_source, {}))
    """).format(table(schema, stream.name), definitions(stream.columns), Identifier(stream.key))


def create_staging(stream: Stream) -> Composed:
    """The table for incoming rows; it empties itself at each commit."""
    return SQL("""
        DROP TABLE IF EXISTS {temporary};
        CREATE TEMPORARY TABLE {name} ({columns}, _hash uuid, _deleted boolean)
            ON COMMIT DELETE ROWS
    """).format(
        temporary=staging(stream), name=Identifier(stream.name), columns=definitions(stream.columns)
    )


def add_column(schema: str, stream: Stream, column: Column) -> Composed:
    """A column that the table lacks; PostgreSQL rewrites no row for it."""
    return SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
        table(schema, stream.name), Identifier(column.name), _type(column)
    )


def comments(stream: Stream) -> dict[str, str]:
    """The table's comment under its empty name, and those of its columns."""
    return (
        {"": stream_comment(stream)}
        | {column.name: column.comment for column in stream.columns}
        | OWN_COLUMNS
    )


def comment(schema: str, relation: str, column: str, text: str) -> Composed:
    """The comment on a column, or on the table itself for an empty name."""
    place = table(schema, relation)
    if not column:
        return SQL("COMMENT ON TABLE {} IS {}").format(place, Literal(text))
    return SQL("COMMENT ON COLUMN {} IS {}").format(
        Identifier(schema, relation, column), Literal(text)
    )


def indexes(schema: str, stream: Stream) -> dict[str, Composed]:
    """The indexes of the stream's table by name; none on what is personal."""
    names = {column.name: f"{stream.name}_{column.name.lstrip('_')}" for column in stream.columns}
    return {
        f"{names[column]}_idx": SQL("CREATE INDEX {} ON {} ({})").format(
            Identifier(f"{names[column]}_idx"), table(schema, stream.name), Identifier(column)
        )
        for column in _INDEXED
        if column in names
    }


def copy(stream: Stream) -> Composed:
    """Take rows of the stream's columns, `_hash` and `_deleted`, in PostgreSQL's binary form."""
    columns = [column.name for column in stream.columns]
    return SQL("COPY {} ({}, _hash, _deleted) FROM STDIN (FORMAT binary)").format(
        staging(stream), _names(columns)
    )


def copy_types(stream: Stream) -> list[str]:
    """The types of what `copy` takes."""
    return [*(TYPES[column.type] for column in stream.columns), "uuid", "boolean"]


def bury(schema: str, stream: Stream, source: str) -> Composed:
    """Remember the staged deletions."""
    return SQL("""
        INSERT INTO {tombstone} AS d (stream, source, key, seq)
        SELECT {stream}, {source}, {key}, _seq FROM {staging} WHERE _deleted
        ON CONFLICT (stream, source, key) DO UPDATE SET seq = excluded.seq
            WHERE excluded.seq > d.seq
    """).format(
        **system_tables(schema),
        staging=staging(stream),
        key=Identifier(stream.key),
        stream=Literal(stream.name),
        source=Literal(source),
    )


def merge(schema: str, stream: Stream, source: str, adoption: int) -> Composed:
    """Apply the staged changes that are news.

    Rows of an earlier adoption carry another store's sequences, which say nothing. `OFFSET 0`
    keeps tombstones a look-up by key: joined, many that the planner has not heard of yet would
    all be compared with every row.
    """
    written = [column.name for column in stream.columns] + [HASH]
    return SQL("""
        MERGE INTO {table} AS t
        USING (
            SELECT i.*, EXISTS (
                SELECT 1 FROM {tombstone} AS d WHERE d.stream = {stream}
                    AND d.source = {source} AND d.key = i.{key} AND d.seq > i._seq
                OFFSET 0) AS _buried
            FROM {staging} AS i
        ) AS i ON t._source = {source} AND t.{key} = i.{key}
        WHEN MATCHED AND t._adoption = {adoption} AND t._seq > i._seq THEN DO NOTHING
        WHEN MATCHED AND i._deleted THEN DELETE
        WHEN MATCHED AND t._hash IS DISTINCT FROM i._hash THEN
            UPDATE SET ({names}, _adoption) = ROW ({values}, {adoption})
        WHEN NOT MATCHED AND NOT i._deleted AND NOT i._buried THEN
            INSERT ({names}, _adoption) VALUES ({values}, {adoption})
    """).format(
        **system_tables(schema),
        table=table(schema, stream.name),
        staging=staging(stream),
        key=Identifier(stream.key),
        stream=Literal(stream.name),
        source=Literal(source),
        adoption=Literal(adoption),
        names=_names(written),
        values=_names(written, "i"),
    )


def advance(schema: str, stream: str, source: str, seq: int) -> Composed:
    """Record how far a stream came."""
    return SQL("""
        INSERT INTO {position} AS p (source, stream, seq) VALUES ({source}, {stream}, {seq})
        ON CONFLICT (source, stream) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > p.seq
    """).format(
        **system_tables(schema), source=Literal(source), stream=Literal(stream), seq=Literal(seq)
    )


def read_back(schema: str, stream: Stream, source: str, after: str) -> Composed:
    """The next keys and hashes (32 hex digits) of a source."""
    return SQL("""
        SELECT {key}, replace(_hash::text, '-', '') FROM {table}
        WHERE _source = {source} AND {key} > {after} ORDER BY {key} LIMIT {most}
    """).format(
        table=table(schema, stream.name),
        key=Identifier(stream.key),
        source=Literal(source),
        after=Literal(after),
        most=Literal(_READ_BACK_ROWS),
    )
