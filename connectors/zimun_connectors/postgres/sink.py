"""The PostgreSQL sink: a table for every stream, one transaction for every batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zimun_connectors.postgres import forgetting, freshness, sql
from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.connection import Connection, connect, lock, refuse_other_writer
from zimun_connectors.postgres.errors import explained
from zimun_connectors.postgres.ledger import Ledger
from zimun_connectors.postgres.tables import Tables
from zimun_connectors.postgres.writer import Writer
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, Erasure, Forgotten, Freshness, SinkContext, WriteResult


@dataclass(frozen=True, slots=True)
class _Session:
    """What the sink has at hand while it is open."""

    connection: Connection
    tables: Tables
    ledger: Ledger
    writer: Writer


class PostgresSink:
    """Implements `Sink` and every further ability of `zimun_sync.sinks` that tables can have.

    Args:
        settings: the sink's section of the configuration.
    """

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._session: _Session | None = None

    # -- Sink ----------------------------------------------------------------------------

    def open(self, context: SinkContext, /) -> None:
        """Connect, become the only writer, and bring every stream's table up to date."""
        self.close()
        with explained(self._settings.place):
            connection = connect(self._settings, context.name)
            try:
                lock(connection, self._settings, context.name)
                self._session = self._prepare(connection, context)
            finally:
                if self._session is None:
                    connection.close()

    def _prepare(
        self, connection: Connection, context: SinkContext, *, leave_nothing: bool = False
    ) -> _Session:
        tables = Tables(connection, self._settings)
        ledger = Ledger(connection, self._settings)
        with connection.transaction(force_rollback=leave_nothing):
            tables.ensure_schema()
            ledger.take(context)
            tables.ensure(context.streams.values())
            tables.ensure_freshness()
            tables.ensure_model()
        writer = Writer(connection, self._settings.schema_name, ledger)
        return _Session(connection, tables, ledger, writer)

    def write(self, batch: Batch, /) -> WriteResult:
        """Write what the tables do not hold yet; readers see all of it at once."""
        session = self._opened
        with explained(self._settings.place):
            session.tables.ensure([batch.stream])
            return session.writer.write(batch)

    def close(self) -> None:
        """Let go of the connection, and with it of the lock."""
        if self._session is not None:
            self._session.connection.close()
            self._session = None

    @property
    def _opened(self) -> _Session:
        if self._session is None:
            raise RuntimeError("the sink is used before open() or after close()")
        return self._session

    # -- ShowsFreshness, ReadsBack, Adopts, Checks, Forgets ------------------------------

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Replace the content of the table `freshness` in one transaction."""
        session = self._opened
        with explained(self._settings.place):
            freshness.show(session.connection, self._settings.schema_name, rows)

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source and stream.

        Read a part at a time: a cursor left half-way would hold a transaction open.
        """
        session = self._opened
        where = (self._settings.schema_name, stream, source)
        after = ""
        with explained(self._settings.place):
            session.tables.ensure([stream])
            while rows := session.connection.execute(sql.read_back(*where, after)).fetchall():
                yield from rows
                after = rows[-1][0]

    def adopt(self, context: SinkContext, /) -> None:
        """Belong to the context's store and forget the sequences of the former one."""
        session = self._opened
        with explained(self._settings.place):
            session.ledger.adopt(context.store_id)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Have the server write the tables concerned anew; it takes a lock on each for that."""
        session = self._opened
        streams = {stream for _, stream in forgotten.keys}
        with explained(self._settings.place):
            return forgetting.forget(session.connection, self._settings, streams)

    def check(self, context: SinkContext, /) -> None:
        """Do all that `open` does in a transaction, and take it back.

        This sink's own daemon may be running meanwhile.
        """
        with explained(self._settings.place), connect(self._settings, context.name) as connection:
            refuse_other_writer(connection, self._settings, context.name)
            self._prepare(connection, context, leave_nothing=True)
