"""The sink's one connection, and the lock that makes it the schema's only writer."""

from typing import Any, Final, NamedTuple

import psycopg

from zimun_connectors.postgres.config import NAME_BYTES, PostgresSettings
from zimun_sync.errors import SinkBroken, SinkUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]

#: `MERGE` came with PostgreSQL 15; older releases get no fixes any more.
_OLDEST: Final = 150_000

#: A network that swallows packets ends the connection within a minute or two; `url` may differ.
_PATIENCE: Final = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

# The server's keepalives free the lock soon after the daemon's host has vanished.
_SET_UP: Final = """
    SELECT set_config('statement_timeout', %(statement)s, false),
        set_config('lock_timeout', %(lock)s, false),
        set_config('tcp_keepalives_idle', '30', false),
        set_config('tcp_keepalives_interval', '10', false),
        CASE WHEN current_setting('synchronous_commit') = 'off'
            THEN set_config('synchronous_commit', 'on', false) END
"""

_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('zimun-sync ' || %(schema)s, 0))"

_HOLDER: Final = """
    SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, '?')
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((l.classid::bigint << 32) | l.objid::bigint)
            = hashtextextended('zimun-sync ' || %(schema)s, 0)
"""


class _Holder(NamedTuple):
    """The session that has the lock."""

    pid: int
    application: str
    user: str


def connect(settings: PostgresSettings, sink: str) -> Connection:
    """A connection that commits each statement unless a transaction is begun.

    Args:
        settings: the sink's settings.
        sink: its name, which the server shows after the application's.

    Raises:
        psycopg.Error: it cannot be had.
        SinkBroken: the server is too old, or the database's encoding too small.
    """
    given = _PATIENCE | settings.parameters
    given |= {"client_encoding": "UTF8", "application_name": _application(settings, sink)}
    if settings.password is not None:
        given["password"] = settings.password.get_secret_value()
    # A plan made for one row would be kept for twenty thousand.
    connection = psycopg.connect(**given, autocommit=True, prepare_threshold=None)
    try:
        _refuse_unfit(connection, settings.place)
        timeouts = {
            "statement": _milliseconds(settings.statement_timeout),
            "lock": _milliseconds(settings.lock_timeout),
        }
        connection.execute(_SET_UP, timeouts)
    except BaseException:
        connection.close()
        raise
    return connection


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"  # 0 would mean for ever


def _application(settings: PostgresSettings, sink: str) -> str:
    """As the server will show it: cut off at its limit, and in ASCII."""
    name = f"{settings.application_name}/{sink}"
    return name.encode("ascii", "replace")[:NAME_BYTES].decode()


def _refuse_unfit(connection: Connection, place: str) -> None:
    found = connection.info.server_version
    if found < _OLDEST:
        raise SinkBroken(
            f"{place}: the server is PostgreSQL {found // 10_000}; the sink needs 15 or later.",
            hint="Upgrade the server.",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SinkBroken(
            f"{place}: the database's encoding is {encoding}, which cannot hold every name.",
            hint="Make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )


def lock(connection: Connection, settings: PostgresSettings, sink: str) -> None:
    """Become the schema's writer until the connection ends; waits `lock_timeout` at most.

    The wait lets the server notice that a killed predecessor is gone.

    Raises:
        SinkUnavailable: a session of this sink has it, such as one the server still holds
            for a host that vanished.
        SinkBroken: another sink writes here.
    """
    try:
        connection.execute(_LOCK, {"schema": settings.schema_name})
    except psycopg.errors.LockNotAvailable:
        refuse_other_writer(connection, settings, sink)
        raise SinkUnavailable(
            f"{settings.place}: another session of this sink is still writing.",
            hint="Stop the other daemon, or wait until the server has noticed that it is gone.",
        ) from None


def refuse_other_writer(connection: Connection, settings: PostgresSettings, sink: str) -> None:
    """Make sure that no session of another sink writes to the schema.

    Raises:
        SinkBroken: one does; the message names it.
    """
    row = connection.execute(_HOLDER, {"schema": settings.schema_name}).fetchone()
    if row is None:
        return
    holder = _Holder(*row)
    if holder.application != _application(settings, sink):
        raise SinkBroken(
            f"{settings.place}: {holder.application or 'another program'!r} is writing there "
            f"already (session {holder.pid} of user {holder.user!r}).",
            hint="Give each sink a `schema` of its own, or stop the other one.",
        )
