"""The Parquet sink: changes wait in a small database; readers get whole versions of files."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from zimun_connectors.common.files import try_to_write
from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.common.lock import WriterLock
from zimun_connectors.common.sqlite import explained
from zimun_connectors.parquet import freshness
from zimun_connectors.parquet.config import ParquetSettings
from zimun_connectors.parquet.layout import Layout
from zimun_connectors.parquet.session import Session
from zimun_connectors.parquet.state import State
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, Erasure, Forgotten, Freshness, SinkContext, WriteResult

#: Changes written at a time: memory stays flat however large a batch is.
_PIECE = 50_000

_REMOVED = (
    "Every version but the latest was removed, and the private database was written anew. A "
    "reader that had files of a former version open keeps them until it closes them; copies and "
    "backups are not touched."
)


class ParquetSink:
    """Implements `Sink` and every further ability of `zimun_sync.sinks` that files can have.

    Args:
        settings: the sink's section of the configuration.
        folder: the configuration's folder, to which a relative path belongs.
    """

    def __init__(self, settings: ParquetSettings, folder: Path) -> None:
        self._settings = settings
        self._layout = Layout((folder / settings.path).absolute())
        self._lock = WriterLock(self._layout.lock)
        self._session: Session | None = None

    # -- Sink ----------------------------------------------------------------------------

    def open(self, context: SinkContext, /) -> None:
        """Lock the folder, mend what a crash left, and publish what readers do not see yet."""
        with explained(self._layout.root):
            self._release()
            self._refuse_foreign_files()
            self._make_folders()
            self._lock.acquire()
            try:
                self._session = self._start(context)
            finally:
                if self._session is None:
                    self._lock.release()

    def _start(self, context: SinkContext) -> Session:
        state = State(self._layout.state)
        try:
            refuse_other_store(context, state.store_id(), state.positions())
            if not context.adopting:
                state.claim(context.store_id)
            return Session(state, self._settings, self._layout, context)
        except BaseException:
            state.close()
            raise

    def write(self, batch: Batch, /) -> WriteResult:
        """Write what the sink does not hold yet, then let readers see it."""
        session = self._opened
        with explained(self._layout.root):
            applied = 0
            for start in range(0, len(batch), _PIECE):
                stored = batch.stored[start : start + _PIECE]
                applied += session.write(replace(batch, stored=stored))
            session.publish(more=batch.more)
        return WriteResult(applied, unchanged=len(batch) - applied)

    def close(self) -> None:
        """Publish what was put off, and let go of every file."""
        with explained(self._layout.root):
            try:
                if self._session is not None:
                    self._session.publish(more=False)
            finally:
                self._release()

    def _release(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
        self._lock.release()

    def _make_folders(self) -> None:
        layout, access = self._layout, self._settings.publish
        is_new = not layout.root.exists()
        layout.private.mkdir(parents=True, exist_ok=True)
        layout.private.chmod(0o700)
        layout.versions.mkdir(exist_ok=True)
        access.grant(layout.versions)
        if is_new:
            access.grant(layout.root)

    def _refuse_foreign_files(self) -> None:
        """Replace nothing that this sink did not make."""
        layout = self._layout
        if layout.state.exists():
            return
        ours = (layout.current, layout.versions, layout.freshness)
        found = [p.name for p in ours if p.exists() or p.is_symlink()]
        if found:
            raise SinkBroken(
                f"{layout.root} has files that this sink did not write: {', '.join(found)}.",
                hint="Move them away, or choose another `path`.",
            )

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise RuntimeError("the sink is used before open() or after close()")
        return self._session

    # -- ShowsFreshness, ReadsBack, Adopts, Checks, Forgets ------------------------------

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Replace `freshness.parquet`; no version is made for it."""
        self._opened  # noqa: B018 - only while the folder is locked
        with explained(self._layout.root):
            freshness.show(self._layout, self._settings.publish, rows)

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source and stream."""
        session = self._opened
        with explained(self._layout.root):
            yield from session.hashes(source, stream)

    def adopt(self, context: SinkContext, /) -> None:
        """Belong to the context's store and forget the sequences of the former one."""
        with explained(self._layout.root):
            self._opened.state.adopt(context.store_id)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Remove every replaced version, and write the private database anew."""
        with explained(self._layout.root):
            held = self._opened.forget(forgotten)
        return Erasure(complete=True, message=_REMOVED if held else "It held nothing about them.")

    def check(self, context: SinkContext, /) -> None:
        """Try the folder, the group and the recorded identity."""
        with explained(self._layout.root):
            self._refuse_foreign_files()
            self._settings.publish.group_id()
            try_to_write(self._layout.root)
            if self._layout.state.exists():
                self._check_state(context)

    def _check_state(self, context: SinkContext) -> None:
        self._lock.acquire()
        try:
            with closing(State(self._layout.state)) as state:
                refuse_other_store(context, state.store_id(), state.positions())
        finally:
            self._lock.release()
