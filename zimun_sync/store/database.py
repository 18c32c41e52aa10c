"""Connections and transactions of the store: SQLite (WAL) or PostgreSQL, one way to use both."""

import operator
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from zimun_sync.errors import ConfigError, StateUnreadable, StoreError
from zimun_sync.store.statements import COMPILED, DRIVER
from zimun_sync.store.trouble import explain

#: How long a SQLite state that another program writes is waited for.
BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 15
_ROWS_A_STATEMENT = 500
_VALUES = re.compile(r"VALUES (\([^)]*\))")
_WRITE: Final = "zimun_write"
_DURABLE: Final = "zimun_durable"
_NO_TRANSACTION: Final = "zimun_no_transaction"

# Without adapters sqlite3 looks for an attribute of each such value, and makes and drops the
# error that there is none: a tenth of what storing a page of new records costs.
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(bool, operator.index)


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
    # Links are followed now: creating the file must not find one that leads nowhere.
    return url.set(database=os.path.realpath(folder / Path(url.database).expanduser()))


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
        busy_seconds: how long to wait while another program writes a SQLite state.

    Attributes:
        path: the file of a SQLite state.
        rollbacks: write transactions of this object that did not commit, or may not have.
    """

    def __init__(self, url: URL, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self._busy_seconds = busy_seconds
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database) if self.is_sqlite and url.database else None
        self.engine = self._engine()
        if self.is_sqlite:
            # SQLite keeps its cache in the connection and drops it when another one has written:
            # a connection that only ever writes keeps the key index at hand.
            self._reader = self._engine()
        else:
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
        # SQLite has one writer: queueing in the process beats polling a locked file.
        self._one_writer = Lock()
        self._file: tuple[int, int] | None = None
        self.rollbacks = 0
        self._statements: dict[tuple[sa.Insert, int], str] = {}

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            return _postgres_engine(self.url)
        engine = sa.create_engine(
            self.url.set(drivername=DRIVER),
            connect_args={"timeout": self._busy_seconds},
            hide_parameters=True,
        )
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine.execution_options(compiled_cache=COMPILED)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state throughout."""
        self._refuse_another_file()
        with self._told_plainly(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back on any error.

        Args:
            durable: whether the commit survives a power loss (and, with it, every earlier
                commit). Without it a power loss may take back whole transactions, in order.
        """
        self._refuse_another_file()
        options = {_WRITE: True, _DURABLE: durable}
        with self._told_plainly(), self._one_writer, self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self.rollbacks += 1
                raise

    def _refuse_another_file(self) -> None:
        """Refuse to go on with a file that nobody will find again.

        SQLite would read and write a deleted file as if nothing had happened.

        Raises:
            StateUnreadable: the file was removed or replaced since it was first used.
            StoreError: it cannot be reached.
        """
        if self.path is None:
            return
        found = _identity(self.path)
        if self._file is None:
            self._file = found  # None before it is made
        elif found != self._file:
            raise StateUnreadable(
                f"The state {self.path} was removed or replaced while this process works on it.",
                hint="Nothing more is written. Stop this process, put the state back or restore "
                "a backup of it, then start again.",
            )

    def upsert(self, table: sa.Table) -> Any:
        """An INSERT of the database's own dialect, which knows ON CONFLICT."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # takes long to import

        return postgresql.insert(table)

    def insert_many(
        self, connection: Connection, statement: sa.Insert, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run an INSERT … VALUES for many rows, whose values stand in the table's column order.

        Many rows go into one statement: each step of SQLite lets other threads run Python,
        and getting back in costs more than the row.
        """
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            chunk = rows[start : start + _ROWS_A_STATEMENT]
            sql = self._sql(statement, len(chunk))
            connection.exec_driver_sql(sql, tuple(chain.from_iterable(chunk)))

    def _sql(self, statement: sa.Insert, rows: int) -> str:
        cached = self._statements.get((statement, rows))
        if cached is None:
            compiled = str(statement.compile(dialect=self.engine.dialect))
            head, values, tail = _VALUES.split(compiled, maxsplit=1)
            cached = head + ", ".join([values] * rows).join(("VALUES ", "")) + tail
            self._statements[statement, rows] = cached
        return cached

    def among(self, column: sa.Column[Any], values: Any) -> sa.ColumnElement[bool]:
        """Whether the column is one of many; `values`: a bound parameter or a `list_of` them."""
        if not self.is_sqlite:
            return column == sa.any_(sa.cast(values, sa.ARRAY(column.type)))
        listed = sa.func.json_each(values).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def list_of(self, values: Sequence[str]) -> list[str] | str:
        """Many values as the one parameter that `among` takes."""
        if self.is_sqlite:
            return msgspec.json.encode(values).decode()
        return [value for value in values if "\0" not in value]  # it refuses what it cannot hold

    def numbers(self, values: Iterable[int]) -> list[int] | str:
        """Many numbers as the one parameter that `among` takes."""
        listed = list(values)
        return msgspec.json.encode(listed).decode() if self.is_sqlite else listed

    def each_stretch(
        self, stretches: Any
    ) -> tuple[sa.FromClause, sa.ColumnElement[int], sa.ColumnElement[int]]:
        """Stretches of numbers as a table, its first numbers and its last ones.

        Args:
            stretches: a bound parameter that will be given what `stretches` made.
        """
        if self.is_sqlite:
            listed = sa.func.json_each(stretches).table_valued("value")
            first = sa.func.json_extract(listed.c.value, "$[0]", type_=sa.BigInteger)
            last = sa.func.json_extract(listed.c.value, "$[1]", type_=sa.BigInteger)
            return listed, first, last
        value, given = sa.column("value", sa.JSON), sa.cast(sa.cast(stretches, sa.Text), sa.JSON)
        listed = sa.func.json_array_elements(given).table_valued(value)
        ends = listed.c.value[0].as_string(), listed.c.value[1].as_string()
        return listed, sa.cast(ends[0], sa.BigInteger), sa.cast(ends[1], sa.BigInteger)

    def stretches(self, ends: Sequence[tuple[int, int]]) -> str:
        """Stretches of numbers, as the one parameter that `each_stretch` takes."""
        return msgspec.json.encode(ends).decode()

    def all_of(self, column: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
        """The numbers of a column as one value for `read_all`: rows take longer."""
        return sa.func.json_group_array(column) if self.is_sqlite else sa.func.array_agg(column)

    def read_all(self, value: Any) -> list[int]:
        """The numbers that `all_of` gave."""
        if self.is_sqlite:
            return msgspec.json.decode(value, type=list[int])
        return value or []  # of nothing PostgreSQL makes NULL

    def write_ahead(self) -> None:
        """Let readers and a writer work at the same time; SQLite keeps this in the file.

        Not done on connecting: a file that turns out to be no state of ours stays untouched.

        Raises:
            StoreError: the filesystem cannot do it.
        """
        if not self.is_sqlite:
            return
        with self._told_plainly(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_NO_TRANSACTION: True})
            mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
        if mode != "wal":
            raise StoreError(
                f"The filesystem under the state {self.path} cannot share memory.",
                hint="Put the state on a local disk, or use PostgreSQL.",
            )

    def rewrite(self, tables: Sequence[sa.Table]) -> None:
        """Leave nothing of rows that were deleted or changed in the database's files.

        Other writers wait meanwhile. In SQLite everything is rewritten.

        Args:
            tables: that such rows were in.

        Raises:
            StoreError: it is in use, or there is no room for another copy.
        """
        if self.is_sqlite:
            self._rewrite_sqlite()
            return
        autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with self._told_plainly(), autocommit.connect() as connection:
            for table in tables:
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table.name}")

    def _rewrite_sqlite(self) -> None:
        with self._told_plainly(), self._one_writer, self.engine.connect() as plain:
            connection = plain.execution_options(**{_NO_TRANSACTION: True})
            is_read = _fold_log(connection)  # noticed before the work is done
            if not is_read:
                connection.exec_driver_sql("VACUUM")
                is_read = _fold_log(connection)
        if is_read:
            raise StoreError(
                f"The log of the state {self.path} is still being read: what was erased may "
                "stand there.",
                hint="Do it again when no other program reads the state.",
            )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._reader.dispose()

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            where = self.path or self.url.render_as_string(hide_password=True)
            raise explain(error, str(where), self._busy_seconds) from error


def _fold_log(connection: Connection) -> bool:
    """Empty the log into the file; tells whether somebody still reads in it."""
    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return bool(busy)


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file keeps as long as it lives; None if there is none.

    Raises:
        StoreError: nobody can tell now: a folder above is closed, or its disk does not answer.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"The state {path} cannot be reached: {error.strerror}.",
            hint="Check that its disk is mounted and answers, and that this user may enter the "
            "folders above it.",
        ) from error
    return found.st_dev, found.st_ino


def _postgres_engine(url: URL) -> Engine:
    try:
        return sa.create_engine(
            url,
            paramstyle="format",
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS} | dict(url.query),
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError(
            "A state in PostgreSQL needs the Python package 'psycopg'.",
            hint="Install it: pip install 'zimun-sync[postgres-state]'",
        ) from error


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # this module says BEGIN itself
    # A log of 16 MB is written over while it is still in the system's memory, and leaves little to
    # fold in when the state is closed.
    connection.execute("PRAGMA wal_autocheckpoint = 4096")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -6144")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_NO_TRANSACTION):
        return
    if not options.get(_WRITE):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get(_DURABLE) else "NORMAL"
    if connection.info.get(_DURABLE) != level:
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.info[_DURABLE] = level
    connection.exec_driver_sql("BEGIN IMMEDIATE")


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
