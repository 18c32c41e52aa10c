"""Connections and transactions of the store: SQLite (WAL) or PostgreSQL, one way to use both."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from zimun_sync.errors import ConfigError, StateUnreadable, StoreError

_BUSY_SECONDS = 30
_WRITE: Final = "zimun_write"
_DURABLE: Final = "zimun_durable"
_RESTORE = "Restore a backup of it; zimun-sync never starts over on a damaged state by itself."


def parse_url(text: str, folder: Path) -> URL:
    """The state's URL; a relative SQLite path is relative to `folder`.

    Raises:
        ConfigError: not a URL of a supported database.
    """
    try:
        url = make_url(text)
    except SQLAlchemyError:
        raise _bad_url(text) from None
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite" or not url.database or url.database == ":memory:":
        raise _bad_url(text)
    return url.set(database=str(folder / Path(url.database).expanduser()))


def _bad_url(text: str) -> ConfigError:
    shown = text if "@" not in text else "(it contains credentials and is not shown)"
    return ConfigError(
        f"state: {shown!r} is not the URL of a state store.",
        hint="Use sqlite:///path/to/state.db or postgresql://user@host/database.",
    )


class Database:
    """The store's connections. Thread safe; every statement runs inside `read` or `write`.

    Args:
        url: as `parse_url` gives it.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = self._engine()
        # SQLite has one writer: queueing in the process beats polling a locked file.
        self._one_writer = Lock()
        self._statements: dict[sa.Executable, str] = {}

    @property
    def path(self) -> Path | None:
        """The file of a SQLite state."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            return _postgres_engine(self.url)
        engine = sa.create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS})
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state throughout."""
        with self._told_plainly(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back on any error.

        Args:
            durable: whether the commit survives a power loss (and, with it, every earlier
                commit). Without it a power loss may take back whole transactions, in order.
        """
        options = {_WRITE: True, _DURABLE: durable}
        with self._told_plainly(), self._one_writer, self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    def upsert(self, table: sa.Table) -> Any:
        """An INSERT of the database's own dialect, which knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def many(
        self, connection: Connection, statement: sa.Executable, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run a statement once per row; values stand in the order of the statement's binds."""
        if not rows:
            return
        sql = self._statements.get(statement)
        if sql is None:
            compiled = statement.compile(dialect=self.engine.dialect)  # type: ignore[attr-defined]
            sql = self._statements.setdefault(statement, str(compiled))
        connection.exec_driver_sql(sql, list(rows))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error) from error

    def _explain(self, error: DBAPIError) -> StoreError:
        where = self.path or self.url.render_as_string(hide_password=True)
        said = str(error.orig)
        if any(word in said for word in ("malformed", "not a database", "disk image")):
            return StateUnreadable(f"The state {where} is damaged: {said}.", hint=_RESTORE)
        if "full" in said:
            return StoreError(
                f"The disk is full: the state {where} could not be written.",
                hint="Free some space and run again; nothing was lost.",
            )
        if "readonly" in said or "read-only" in said or "unable to open" in said:
            return StoreError(
                f"The state {where} cannot be written: {said}.",
                hint="Give the user that runs zimun-sync the right to write there.",
            )
        if "locked" in said:
            return StoreError(
                f"The state {where} was locked by another program for {_BUSY_SECONDS} s.",
                hint="Close the program that holds it open for writing.",
            )
        kind = "is not reachable" if isinstance(error, OperationalError) else "refused a statement"
        return StoreError(f"The state {where} {kind}: {said}.")


def _postgres_engine(url: URL) -> Engine:
    try:
        return sa.create_engine(url, paramstyle="format", pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError(
            "A state in PostgreSQL needs the Python package 'psycopg'.",
            hint="Install it: pip install 'zimun-sync[postgres-state]'",
        ) from error


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # this module says BEGIN itself
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -16384")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    level = "FULL" if options.get(_DURABLE) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITE) else "BEGIN")


def private_folder(folder: Path) -> None:
    """Make sure the state's folder exists.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} for the state cannot be made: {error.strerror}.",
            hint="Choose another path for `state`, or give the user the right to write there.",
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"The folder {folder} for the state cannot be written.",
            hint="Choose another path for `state`, or give the user the right to write there.",
        )
