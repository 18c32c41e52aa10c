"""The warehouse sink: what is news is loaded by dlt, and remembered once it is there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from zimun_connectors.common.files import try_to_write
from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.common.lock import WriterLock
from zimun_connectors.common.sqlite import explained as file_explained
from zimun_connectors.warehouse.claim import Claim
from zimun_connectors.warehouse.config import WarehouseSettings
from zimun_connectors.warehouse.errors import explained
from zimun_connectors.warehouse.memory import Memory
from zimun_connectors.warehouse.pace import Pace
from zimun_connectors.warehouse.rows import staged
from zimun_connectors.warehouse.runtime import isolate
from zimun_connectors.warehouse.session import Session, begin, forgetting
from zimun_connectors.warehouse.tables import columns_of
from zimun_connectors.warehouse.warehouse import Warehouse
from zimun_sync import freshness
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, Erasure, Forgotten, Freshness, SinkContext, WriteResult
from zimun_sync.tables import freshness_table

_MEMORY, _LOCK, _LOADS = "memory.sqlite", "lock", "loads"


class WarehouseSink:
    """Implements `Sink` and every further ability of `zimun_sync.sinks` that tables can have.

    Args:
        settings: the sink's section of the configuration.
        folder: the configuration's folder, to which relative paths belong.
    """

    def __init__(self, settings: WarehouseSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = settings.memory(folder)
        self._local = settings.local_place(folder)
        self._lock = WriterLock(self._folder / _LOCK)
        self._pace = Pace(settings.min_interval)
        self._session: Session | None = None

    @property
    def fingerprint(self) -> str:
        """Stands for the place of the tables: at another one everything is delivered anew."""
        return self._settings.fingerprint

    # -- Sink ----------------------------------------------------------------------------

    def open(self, context: SinkContext, /) -> None:
        """Sign in, drop what a crash left half loaded, and make sure of whose the dataset is."""
        self.close()
        with file_explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire()
        try:
            self._session = self._start(context)
        finally:
            if self._session is None:
                self._lock.release()

    def _start(self, context: SinkContext) -> Session:
        with file_explained(self._folder):
            memory = Memory(self._folder / _MEMORY)
        try:
            with explained(self._settings.place):
                isolate(self._folder)
                warehouse = Warehouse(self._settings, self._local, self._folder / _LOADS)
                return begin(self._settings, warehouse, memory, context)
        except BaseException:
            memory.close()
            raise

    def write(self, batch: Batch, /) -> WriteResult:
        """Load what the dataset does not hold yet.

        Raises:
            SinkUnavailable: too soon after the last load into that table.
        """
        session = self._ready_for(batch.stream)
        with file_explained(self._folder):
            news = session.memory.news(batch.stream.name, batch.source, batch.stored)
        self._pace.keep(batch, len(news), session.now)
        table = session.shape.widened(batch.stream)
        rows, rejected = staged(replace(batch, stored=news), table)
        if len(rows):
            with self._loading():
                session.warehouse.load(table, rows)
            self._pace.loaded(batch, session.now)
        refused = {rejection.key for rejection in rejected}
        written = [change for change in news if change.key not in refused]
        with file_explained(self._folder), session.memory.transaction():
            session.memory.put(batch.stream.name, batch.source, written)
            session.memory.advance(batch.source, batch.stream.name, batch.last_seq)
        return WriteResult(len(written), len(batch) - len(news), tuple(rejected))

    def _ready_for(self, stream: Stream) -> Session:
        """The session, opened anew where its tables lack a column that the stream brings."""
        session = self._opened
        if not session.shape.covers(stream):
            self.open(
                replace(session.context, streams={**session.context.streams, stream.name: stream})
            )
        return self._opened

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Close the sink if a load fails: dlt would load the same again, before anything newer."""
        try:
            with explained(self._settings.place):
                yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the memory, its lock, and rows that were on their way."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._lock.release()

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise RuntimeError("the sink is used before open() or after close()")
        return self._session

    # -- ShowsFreshness, ReadsBack, Adopts, Checks, Forgets ------------------------------

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Replace the content of the table `freshness`."""
        session = self._opened
        with self._loading():
            session.warehouse.replace(
                freshness.TABLE, freshness_table(rows), columns_of(freshness.COLUMNS)
            )

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every row of that source and stream.

        The memory is put right by it: a replay then mends what differs.
        """
        session = self._opened
        with explained(self._settings.place):
            parts = session.warehouse.held(stream, source)
            session.memory.recall(stream.name, source, forgetting(parts))
        yield from session.memory.recalled()

    def adopt(self, context: SinkContext, /) -> None:
        """Belong to the context's store and forget the sequences of the former one."""
        session = self._opened
        claim = Claim.new(context, session.shape, adopted=True)
        with self._loading():
            session.warehouse.put_claim(claim)
        with file_explained(self._folder):
            session.memory.adopt(context.store_id)
            with session.memory.transaction():
                session.memory.renew(claim.id, self._settings.fingerprint)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Purge the tables concerned, where a client can; else tell what a person has to do."""
        session = self._opened
        streams = {stream for _, stream in forgotten.keys}
        tables = sorted(streams & session.context.streams.keys())
        if not tables:
            return Erasure(complete=True, message="It held nothing about them.")
        with explained(self._settings.place):
            return session.warehouse.forget(tables)

    def check(self, context: SinkContext, /) -> None:
        """Sign in and look whose the dataset is; rights to change it show with the first load."""
        if self._local is not None:
            with file_explained(self._local):
                is_folder = self._settings.destination == "filesystem"
                try_to_write(self._local if is_folder else self._local.parent)
        with TemporaryDirectory() as folder, explained(self._settings.place):
            self._check_claim(context, Path(folder) / _LOADS)
        if (self._folder / _MEMORY).exists():
            self._check_memory(context)

    def _check_claim(self, context: SinkContext, folder: Path) -> None:
        isolate(self._folder)
        warehouse = Warehouse(self._settings, self._local, folder)
        if self._local is not None and not self._local.exists():
            return  # to look into it would make it
        claim = warehouse.claim()
        if claim is not None:
            claim.refuse_other(context, self._settings.place)

    def _check_memory(self, context: SinkContext) -> None:
        with file_explained(self._folder):
            self._lock.acquire()
            try:
                memory = Memory(self._folder / _MEMORY)
                try:
                    refuse_other_store(context, memory.store_id(), memory.positions())
                finally:
                    memory.close()
            finally:
                self._lock.release()
