"""The DuckDB sink: rows are written to a private database and published by renaming files."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from zimun_connectors.common.files import try_to_write
from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.common.lock import WriterLock
from zimun_connectors.duckdb import files, freshness
from zimun_connectors.duckdb.config import DuckdbSettings
from zimun_connectors.duckdb.errors import explained
from zimun_connectors.duckdb.files import Layout
from zimun_connectors.duckdb.publish import Publisher
from zimun_connectors.duckdb.state import State
from zimun_connectors.duckdb.views import refuse_foreign
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, Erasure, Forgotten, Freshness, SinkContext, WriteResult

if TYPE_CHECKING:
    import pyarrow as pa

_RENEWED = (
    "The private database, the snapshot and the delta were made afresh. A reader that had the "
    "former files open keeps them until it closes them; copies and backups are not touched."
)


class DuckdbSink:
    """Implements `Sink` and every further ability of `zimun_sync.sinks` that files can have.

    Args:
        settings: the sink's section of the configuration.
        folder: the configuration's folder, to which a relative path belongs.
    """

    def __init__(self, settings: DuckdbSettings, folder: Path) -> None:
        self._settings = settings
        self._layout = Layout.of(settings, folder)
        self._access = settings.publish
        self._lock = WriterLock(self._layout.lock)
        self._open: tuple[State, Publisher] | None = None

    # -- Sink ----------------------------------------------------------------------------

    def open(self, context: SinkContext, /) -> None:
        """Lock, open and mend the files; every stream's view answers afterwards."""
        with explained(self._layout.views):
            self._release()
            refuse_foreign(self._layout)
            files.prepare(self._layout, self._access)
            self._lock.acquire()
            try:
                self._open = self._start(context)
            finally:
                if self._open is None:
                    self._lock.release()

    def _start(self, context: SinkContext) -> tuple[State, Publisher]:
        files.mend(self._layout, self._access)
        state = self._connect()
        try:
            _refuse_other_store(state, context)
            if not context.adopting:
                state.claim(context.store_id)
            freshness.ensure(state, self._layout, self._access)
            publisher = Publisher(
                state, self._layout, self._settings, context.now, looking=context.looking
            )
            publisher.introduce(context.streams.values())
        except BaseException:
            state.close()
            raise
        return state, publisher

    def _connect(self, *, read_only: bool = False) -> State:
        return State(
            self._layout.state,
            memory_limit=self._settings.memory_limit,
            threads=self._settings.threads,
            read_only=read_only,
        )

    def write(self, batch: Batch, /) -> WriteResult:
        """Write what the sink does not hold yet, and let readers see it."""
        state, publisher = self._opened
        with explained(self._layout.views):
            publisher.introduce([batch.stream])
            applied = state.write(batch)
            publisher.publish(more=batch.more)
        return WriteResult(applied, unchanged=len(batch) - applied)

    def close(self) -> None:
        """Publish what was put off, unless only looking, and let go of every file."""
        with explained(self._layout.views):
            try:
                if self._open is not None:
                    self._open[1].publish(more=False)
            finally:
                self._release()

    def _release(self) -> None:
        try:
            if self._open is not None:
                self._open[0].close()
        finally:
            self._open = None
            self._lock.release()

    @property
    def _opened(self) -> tuple[State, Publisher]:
        if self._open is None:
            raise RuntimeError("the sink is used before open() or after close()")
        return self._open

    # -- ShowsFreshness, ReadsRows, Adopts, Checks, Forgets ------------------------------

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Replace the table `freshness`, then tidy up: a pull has ended, and readers saw it."""
        state, publisher = self._opened
        with explained(self._layout.views):
            freshness.show(state, self._layout, self._access, rows)
            try:
                publisher.tidy()
            except BaseException:
                self._release()
                raise

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source and stream."""
        state, publisher = self._opened
        with explained(self._layout.views):
            publisher.introduce([stream])
            yield from state.read_back(source, stream)

    def read_rows(self, source: str, stream: Stream, /) -> "Iterator[pa.Table]":
        """Every row of that source and stream as it is in the private database, with `_hash`."""
        state, publisher = self._opened
        with explained(self._layout.views):
            publisher.introduce([stream])
            yield from state.read_rows(source, stream)

    def adopt(self, context: SinkContext, /) -> None:
        """Belong to the context's store and forget the sequences of the former one."""
        state, _ = self._opened
        with explained(self._layout.views):
            state.adopt(context.store_id)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Replace every file with data by one made afresh; after a failure, open again."""
        _, publisher = self._opened
        with explained(self._layout.views):
            if not publisher.knows(forgotten):
                return Erasure(complete=True, message="It held nothing about them.")
            try:
                publisher.renew()
            except BaseException:
                self._release()
                raise
        return Erasure(complete=True, message=_RENEWED)

    def check(self, context: SinkContext, /) -> None:
        """Try the path, the rights and the recorded identity."""
        with explained(self._layout.views):
            refuse_foreign(self._layout)
            self._access.group_id()
            try_to_write(self._layout.data)
            if self._layout.state.exists():
                self._check_state(context)

    def _check_state(self, context: SinkContext) -> None:
        self._lock.acquire()
        try:
            with closing(self._connect(read_only=True)) as state:
                _refuse_other_store(state, context)
        finally:
            self._lock.release()


def _refuse_other_store(state: State, context: SinkContext) -> None:
    identity = state.identity()
    refuse_other_store(context, identity.store_id, identity.positions)
