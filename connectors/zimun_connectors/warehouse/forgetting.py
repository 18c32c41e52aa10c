"""Erasing former rows from a warehouse, as far as a client of it can."""

import re
from collections.abc import Sequence
from typing import Any, Final

import dlt

from zimun_connectors.warehouse.tables import NAME
from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Erasure

_VACUUMED: Final = (
    "The tables were written anew. No client can reach the server's backups, archived logs and "
    "replicas, nor the freed pages of its planner's statistics (VACUUM FULL pg_statistic)."
)

#: The number that begins the detail of a message, in whatever language.
_DETAIL: Final = re.compile(r"\n\S+?:\s+(\d+)")

#: What a person has to do, by destination; `{tables}` are the tables concerned.
_BY_HAND: Final = {
    "bigquery": "BigQuery keeps former rows of {tables} for time travel (two to seven days, the "
    "dataset's max_time_travel_hours) and for seven days more as fail-safe; then they are gone. "
    "To shorten the first: ALTER SCHEMA … SET OPTIONS (max_time_travel_hours = 48).",
    "snowflake": "Snowflake keeps former rows of {tables} for time travel "
    "(DATA_RETENTION_TIME_IN_DAYS, one day unless set) and for seven days more as fail-safe; then "
    "they are gone. To end the first at once: ALTER TABLE … SET DATA_RETENTION_TIME_IN_DAYS = 0.",
    "redshift": "Redshift keeps former rows of {tables} until it vacuums, and in snapshots. Run, "
    "for each: VACUUM DELETE ONLY … TO 100 PERCENT; and delete snapshots from before.",
    "databricks": "Databricks keeps former files of {tables} until they are vacuumed. Run, for "
    "each: REORG TABLE … APPLY (PURGE); VACUUM … RETAIN 0 HOURS.",
    "clickhouse": "ClickHouse keeps former rows of {tables} until their parts are merged. Run, "
    "for each: OPTIMIZE TABLE … FINAL.",
    "duckdb": "DuckDB keeps former rows of {tables} in freed blocks of its file. While nobody has "
    "it open, copy it to a fresh one and put that in its place: ATTACH 'old.duckdb' AS old; "
    "ATTACH 'new.duckdb' AS new; COPY FROM DATABASE old TO new.",
}
_ELSEWHERE: Final = (
    "The destination may keep former rows of {tables}, for time travel, in snapshots or in space "
    "set free: look up in its documentation how they are purged."
)


def by_hand(destination: str, tables: Sequence[str]) -> Erasure:
    """What a person has to do where this program cannot.

    Args:
        destination: dlt's name of it.
        tables: names of the tables concerned.
    """
    words = _BY_HAND.get(destination, _ELSEWHERE)
    return Erasure(complete=False, message=words.format(tables=", ".join(tables)))


def vacuum(pipeline: dlt.Pipeline, place: str, tables: Sequence[str]) -> Erasure:
    """Have PostgreSQL write these tables anew, and their doubles for rows on their way.

    Args:
        pipeline: knows where they are.
        place: the sink, for a message.
        tables: their names.

    Raises:
        SinkUnavailable: another session still has a use for former rows.
    """
    with pipeline.sql_client(NAME) as client:
        found: Any = client
        names = [found.make_qualified_table_name(table) for table in tables]
        with found.with_staging_dataset():
            names += [found.make_qualified_table_name(table) for table in tables]
        left = [name for name in names if not _rewritten(found, place, name)]
    if not left:
        return Erasure(complete=True, message=_VACUUMED)
    commands = f"VACUUM (FULL, ANALYZE) {', '.join(left)}"
    return Erasure(
        complete=False,
        message="The sink's user does not own every table, so former rows stay in the server's "
        f"files. Let their owner run: {commands}",
    )


def _rewritten(client: Any, place: str, name: str) -> bool:
    """Write a table anew if it is there; False where the sink's user may not."""
    owned = client.execute_sql(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)", name
    )
    if not owned:
        return True
    if not owned[0][0]:
        return False
    said = client.native_connection.notices
    said.clear()
    client.execute_sql(f"VACUUM (FULL, VERBOSE) {name}")
    if any(int(count) for text in said for count in _DETAIL.findall(text)):
        raise SinkUnavailable(
            f"{place}: a transaction that began before the erasure may still look at former rows "
            f"of {name}.",
            hint="It is tried again by itself. Which one: SELECT pid, usename, xact_start FROM "
            "pg_stat_activity WHERE backend_xmin IS NOT NULL.",
        )
    client.execute_sql(f"ANALYZE {name}")
    return True
