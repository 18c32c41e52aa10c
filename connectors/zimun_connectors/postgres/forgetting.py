"""Erasing former rows: PostgreSQL keeps them in its files until a table is written anew."""

import re
from collections.abc import Iterable
from typing import Final

from psycopg.errors import Diagnostic
from psycopg.sql import SQL

from zimun_connectors.postgres import sql
from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.connection import Connection
from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Erasure

#: Since this release the right to vacuum can be granted.
_GRANTABLE: Final = 170_000

# Without the right, VACUUM only warns.
_TABLES: Final = """
    SELECT c.relname, pg_has_role(c.relowner, 'USAGE') OR {granted}
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s) AND c.relkind = 'r'
    ORDER BY c.relname
"""
_COUNT: Final = re.compile(r"\d+")

_REWRITTEN: Final = (
    "The tables were written anew. No client can reach the server's backups, archived logs and "
    "replicas, nor the freed pages of its planner's statistics (VACUUM FULL pg_statistic)."
)


def forget(connection: Connection, settings: PostgresSettings, streams: Iterable[str]) -> Erasure:
    """Write these streams' tables anew; readers of one wait meanwhile.

    Raises:
        SinkUnavailable: another session still has a use for former rows.
        psycopg.Error: a table is locked for longer than `lock_timeout`, or something is wrong.
    """
    left = []
    for name, ours in _tables(connection, settings, streams):
        if ours:
            _rewrite(connection, settings, name)
        else:
            left.append(sql.table(settings.schema_name, name).as_string(connection))
    if not left:
        return Erasure(complete=True, message=_REWRITTEN)
    return Erasure(
        complete=False,
        message="The sink's user does not own every table, so former rows stay in the server's "
        f"files. Let their owner run: VACUUM (FULL, ANALYZE) {', '.join(left)}",
    )


def _tables(
    connection: Connection, settings: PostgresSettings, streams: Iterable[str]
) -> list[tuple[str, bool]]:
    """Those tables that are there, and whether the sink's user may write them anew."""
    grantable = connection.info.server_version >= _GRANTABLE
    granted = SQL("has_table_privilege(c.oid, 'MAINTAIN')" if grantable else "false")
    wanted = {"schema": settings.schema_name, "names": list(streams)}
    return connection.execute(SQL(_TABLES).format(granted=granted), wanted).fetchall()


def _rewrite(connection: Connection, settings: PostgresSettings, name: str) -> None:
    table = sql.table(settings.schema_name, name)
    kept: list[int] = []

    def count(said: Diagnostic) -> None:
        """The detail begins with the rows that an older transaction may still look at."""
        found = _COUNT.search(said.message_detail or "")
        if said.severity_nonlocalized == "INFO" and found:
            kept.append(int(found.group()))

    connection.add_notice_handler(count)
    try:
        connection.execute(SQL("VACUUM (FULL, VERBOSE) {}").format(table))
    finally:
        connection.remove_notice_handler(count)
    if any(kept):
        raise SinkUnavailable(
            f"{settings.place}: a transaction that began before the erasure may still look at "
            f"former rows of {name!r}.",
            hint="It is tried again by itself. Which one: SELECT pid, usename, xact_start FROM "
            "pg_stat_activity WHERE backend_xmin IS NOT NULL; see pg_prepared_xacts and "
            "pg_replication_slots too.",
        )
    connection.execute(SQL("ANALYZE {}").format(table))  # samples of former rows go too
