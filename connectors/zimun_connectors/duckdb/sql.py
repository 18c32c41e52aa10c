"""The SQL of the DuckDB sink, built from a stream's columns.

Every name comes from a `Stream` and is quoted; values are bound as parameters.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from zimun_sync.marts import Meaning
from zimun_sync.model import Column, ColumnType, Stream

#: DuckDB 1.4 and later read this; the default of 2.0 can be read by 2.0 only.
DATA_STORAGE = "v1.4.0"

#: Sizes of the blocks and row groups of the data files. An append of more rows than a row group
#: goes to the file at once, compressed, and not to the log too; a full batch has just under two.
#: The small blocks are for such appends, each of which leaves the last of its blocks half empty.
BLOCK_SIZE, ROW_GROUP_SIZE = 65_536, 10_240

#: Rows that are read back at a time.
_READ_BACK_ROWS = 50_000

#: And whole rows, which are held in memory meanwhile.
_READ_ROWS = 20_000

#: Options with which a data file is attached; its block size is that of its making.
STORAGE = f"STORAGE_VERSION '{DATA_STORAGE}', ROW_GROUP_SIZE {ROW_GROUP_SIZE}"

#: The same for a file that is worth nothing before its checkpoint, and so needs no log.
STORAGE_WITHOUT_LOG = f"{STORAGE}, RECOVERY_MODE NO_WAL_WRITES"

#: How often a checkpoint may merge row groups, up to four each time; and as often as is usual.
MERGES, USUAL_MERGES = "SET max_vacuum_tasks = {}", "RESET max_vacuum_tasks"

#: Name under which the private database is attached.
DATABASE = "state"

COLUMN_TYPES: dict[ColumnType, str] = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DECIMAL: "DECIMAL(18, 4)",
    ColumnType.INSTANT: "TIMESTAMPTZ",
    ColumnType.LOCAL_TIME: "TIMESTAMP",
    ColumnType.DATE: "DATE",
    ColumnType.JSON: "JSON",
}

SYSTEM_TABLES = """
CREATE TABLE _store (
    format INTEGER, store_id VARCHAR, stamp BIGINT, adopted_stamp BIGINT,
    views VARCHAR);
CREATE TABLE _position (source VARCHAR, stream VARCHAR, seq BIGINT);
CREATE TABLE _tombstone (
    stream VARCHAR, source VARCHAR, key VARCHAR, seq BIGINT, stamp BIGINT);
CREATE TABLE _snapshot (stamp BIGINT, published_at BIGINT, file VARCHAR);
COMMENT ON TABLE _store IS 'Which store fills this sink; stamp counts the writes that changed it.';
COMMENT ON TABLE _position IS 'Last sequence written, by source and stream.';
COMMENT ON TABLE _tombstone IS 'Keys of deleted records.';
COMMENT ON TABLE _snapshot IS 'Snapshots that readers may still hold.';
"""


def identifier(name: str) -> str:
    """A quoted SQL name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """A quoted SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def definition(column: Column) -> str:
    """The column as `CREATE TABLE` takes it."""
    return f"{identifier(column.name)} {COLUMN_TYPES[column.type]}"


def insert_values(relation: str, columns: Sequence[Column]) -> str:
    """Adds one row; its values are the parameters."""
    return f"INSERT INTO {relation} VALUES ({', '.join('?' * len(columns))})"


def create_table(stream: Stream) -> str:
    """The stream's table in the private database: its columns, then `_hash` and `_stamp`.

    What columns mean is told where people look, by the views: comments here too would be a tenth of
    a sink's first opening.
    Every write looks keys up, which takes half the time where they are not compressed; being
    unique, they would hardly get smaller.
    """
    columns = ", ".join(
        definition(column)
        + (" USING COMPRESSION uncompressed" if column.name == stream.key else "")
        for column in stream.columns
    )
    return f"CREATE TABLE {identifier(stream.name)} ({columns}, _hash UUID, _stamp BIGINT)"


def add_column(stream: Stream, column: Column) -> str:
    """A column that a later release brought, or the configuration."""
    return f"ALTER TABLE {identifier(stream.name)} ADD COLUMN {definition(column)}"


def drop_column(stream: Stream, column: Column) -> str:
    """A promoted column whose type is another one now."""
    return f"ALTER TABLE {identifier(stream.name)} DROP COLUMN {identifier(column.name)}"


def restore_type(stream: Stream, column: Column) -> str:
    """A column that somebody gave another type; what does not fit becomes NULL."""
    table, name, kind = identifier(stream.name), identifier(column.name), COLUMN_TYPES[column.type]
    return f"ALTER TABLE {table} ALTER {name} TYPE {kind} USING TRY_CAST({name} AS {kind})"


#: The names that DuckDB gives the types, one row in the order of `COLUMN_TYPES`.
TYPE_NAMES = "SELECT " + ", ".join(f"typeof(NULL::{kind})" for kind in COLUMN_TYPES.values())

#: Columns of every table and their types. Parameter: the database.
COLUMNS_OF = """
    SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = ?
"""


def together(statements: Iterable[str]) -> str:
    """Many statements as one text, which DuckDB takes a little faster than one after the other."""
    return ";\n".join(statements)


def column_comment(relation: str, column: Column | Meaning) -> str:
    """The comment on one column of a table or view, whose quoted name is given."""
    return f"COMMENT ON COLUMN {relation}.{identifier(column.name)} IS {literal(column.comment)}"


def find_held(stream: Stream) -> str:
    """Incoming upserts the table already has: key, place (rowid) and whether to keep it.

    Kept is what has the same content or a later sequence. Rows from before the sink was adopted
    carry another store's sequences, which say nothing. Parameters: `source`, `adopted`.
    """
    table, key = identifier(stream.name), identifier(stream.key)
    return f"""
        SELECT t.{key}, t.rowid,
            t._hash = i._hash::UUID OR (t._seq > i._seq AND t._stamp > $adopted)
        FROM incoming i JOIN {table} t ON t._source = $source AND t.{key} = i.{key}
    """


def find_buried(stream: Stream) -> str:
    """Incoming upserts with a tombstone: key and whether that is later, as in `find_held`.

    Parameters: `source`, `stream`, `adopted`.
    """
    key = identifier(stream.key)
    return f"""
        SELECT d.key, d.seq > i._seq AND d.stamp > $adopted
        FROM incoming i JOIN _tombstone d ON d.key = i.{key}
        WHERE d.stream = $stream AND d.source = $source
    """


def find_known(stream: Stream) -> str:
    """One row if the table has any of the keys. Parameters: `source`, `keys`."""
    return f"""
        SELECT 1 FROM {identifier(stream.name)}
        WHERE _source = $source AND {identifier(stream.key)} IN (SELECT unnest($keys)) LIMIT 1
    """


#: One row if any of the keys has a tombstone.
FIND_BURIED_KEYS = """
    SELECT 1 FROM _tombstone
    WHERE stream = $stream AND source = $source AND key IN (SELECT unnest($keys)) LIMIT 1
"""


def delete_superseded(stream: Stream) -> str:
    """Remove rows by their place. Parameter: the list `places`."""
    return f"DELETE FROM {identifier(stream.name)} WHERE rowid IN (SELECT unnest($places))"


def insert_incoming(stream: Stream, *, all_of_it: bool) -> str:
    """Insert what is incoming, which returns the count. Parameter: `stamp`.

    Unless it is `all_of_it`, the parameter `kept` lists the keys to leave out.
    """
    left_out = f"WHERE {identifier(stream.key)} NOT IN (SELECT unnest($kept))"
    return f"""
        INSERT INTO {identifier(stream.name)} BY NAME
        SELECT * REPLACE (_hash::UUID AS _hash), $stamp::BIGINT AS _stamp FROM incoming
        {"" if all_of_it else left_out}
    """


#: Forget the tombstones of records that are back.
UNBURY = """
    DELETE FROM _tombstone
    WHERE stream = $stream AND source = $source AND key IN (SELECT unnest($keys))
"""


def find_gone(stream: Stream) -> str:
    """Rows that the deletes in `gone` remove. Parameters: `source`, `adopted`."""
    table, key = identifier(stream.name), identifier(stream.key)
    return f"""
        CREATE OR REPLACE TEMP TABLE held AS
        SELECT g.key, g.seq, t.rowid AS place
        FROM gone g JOIN {table} t ON t._source = $source AND t.{key} = g.key
        WHERE (t._seq > g.seq AND t._stamp > $adopted) IS NOT TRUE
    """


def delete_gone(stream: Stream) -> str:
    """Remove the rows that `find_gone` found. Returns the count."""
    return f"DELETE FROM {identifier(stream.name)} WHERE rowid IN (SELECT place FROM held)"


BURY = """
    INSERT INTO _tombstone
    SELECT $stream, $source, key, seq, $stamp FROM held
"""


def read_back(stream: Stream) -> str:
    """The next keys and hashes (32 hex digits) of a source. Parameters: `source`, `after`."""
    table, key = identifier(stream.name), identifier(stream.key)
    return f"""
        SELECT {key}, replace(_hash::VARCHAR, '-', '') FROM {table}
        WHERE _source = $source AND {key} > $after ORDER BY {key} LIMIT {_READ_BACK_ROWS}
    """


def read_rows(stream: Stream) -> str:
    """The next rows of a source, with `_hash`. Parameters: `source`, `after`."""
    table, key = identifier(stream.name), identifier(stream.key)
    columns = ", ".join(identifier(column.name) for column in stream.columns)
    return f"""
        SELECT {columns}, replace(_hash::VARCHAR, '-', '') AS _hash FROM {table}
        WHERE _source = $source AND {key} > $after ORDER BY {key} LIMIT {_READ_ROWS}
    """


def count_changes(streams: Sequence[Stream]) -> str:
    """Rows and tombstones with a stamp above the parameter `base`."""
    counts = [
        f"SELECT count(*) AS n FROM {identifier(stream.name)} WHERE _stamp > $base"
        for stream in streams
    ]
    counts.append("SELECT count(*) FROM _tombstone WHERE stamp > $base")
    return f"SELECT sum(n)::BIGINT FROM ({' UNION ALL '.join(counts)})"


def count_rows(streams: Sequence[Stream]) -> str:
    """Rows of all the streams' tables."""
    counts = [f"SELECT count(*) AS n FROM {identifier(stream.name)}" for stream in streams]
    return f"SELECT sum(n)::BIGINT FROM ({' UNION ALL '.join(counts)})"


def create_delta(stream: Stream) -> str:
    """The stream's table in the attached `delta`: its changes since stamp `since`, deletes too."""
    return f"CREATE OR REPLACE TABLE delta.{identifier(stream.name)} AS {_changes(stream)}"


def delete_outdated(stream: Stream) -> str:
    """Remove from the delta what has changed again since stamp `since`. Returns the count."""
    table, key = identifier(stream.name), identifier(stream.key)
    return f"""
        DELETE FROM delta.{table} d USING (
            SELECT _source, {key} AS key FROM {table} WHERE _stamp > $since
            UNION ALL
            SELECT source, key FROM _tombstone
            WHERE stamp > $since AND stream = {literal(stream.name)}) AS c
        WHERE d._source = c._source AND d.{key} = c.key
    """


def extend_delta(stream: Stream) -> str:
    """Add the changes since stamp `since` to the delta. Returns the count."""
    return f"INSERT INTO delta.{identifier(stream.name)} BY NAME {_changes(stream)}"


def _changes(stream: Stream) -> str:
    columns = ", ".join(identifier(column.name) for column in stream.columns)
    return f"""
        SELECT {columns}, false AS _deleted FROM {identifier(stream.name)} WHERE _stamp > $since
        UNION ALL BY NAME
        SELECT key AS {identifier(stream.key)}, source AS _source, true AS _deleted
        FROM _tombstone WHERE stamp > $since AND stream = {literal(stream.name)}
    """


DESCRIBE_DELTA = """
    CREATE OR REPLACE TABLE delta._delta AS
    SELECT ?::BIGINT AS base, ?::BIGINT AS stamp, ?::BIGINT AS changes
"""
