"""The CSV sink: changes go to a log and an index; readers get whole files made from them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from zimun_connectors.common.files import try_to_write
from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.common.lock import WriterLock
from zimun_connectors.common.sqlite import explained
from zimun_connectors.csv import freshness
from zimun_connectors.csv.config import CsvSettings
from zimun_connectors.csv.session import Session
from zimun_connectors.csv.state import State
from zimun_sync.errors import SinkBroken
from zimun_sync.model import STREAMS, Stream
from zimun_sync.sinks import (
    Batch,
    Erasure,
    Forgotten,
    Freshness,
    Shown,
    SinkContext,
    WriteResult,
)

#: Changes written at a time: memory stays flat however large a batch is.
_PIECE = 50_000

_REWRITTEN = (
    "The files and the private logs were written anew; in files of changes that are still in "
    "their folder, former personal values are empty now. Copies and backups are not touched."
)


class CsvSink:
    """Implements `Sink` and every further ability of `zimun_sync.sinks` that files can have.

    Args:
        settings: the sink's section of the configuration.
        folder: the configuration's folder, to which a relative path belongs.
    """

    def __init__(self, settings: CsvSettings, folder: Path) -> None:
        self._settings = settings
        self._path = (folder / settings.path).absolute()
        self._private = self._path / ".zimun"
        self._lock = WriterLock(self._private / "lock")
        self._session: Session | None = None

    # -- Sink ----------------------------------------------------------------------------

    def open(self, context: SinkContext, /) -> None:
        """Lock the folder, mend what a crash left, and publish what readers do not see yet."""
        with explained(self._path):
            self._release()
            self._refuse_foreign_files()
            self._make_folders()
            self._lock.acquire()
            try:
                self._session = self._start(context)
            finally:
                if self._session is None:
                    self._lock.release()

    def write(self, batch: Batch, /) -> WriteResult:
        """Write what the sink does not hold yet, then let readers see it."""
        session = self._opened
        with explained(self._path):
            applied = 0
            for start in range(0, len(batch), _PIECE):
                piece = batch.stored[start : start + _PIECE]
                applied += session.write(batch.source, batch.stream, piece)
            session.publish(more=batch.more)
        return WriteResult(applied, unchanged=len(batch) - applied)

    def close(self) -> None:
        """Publish what was put off, and let go of every file."""
        with explained(self._path):
            try:
                if self._session is not None:
                    self._session.publish(more=False)
            finally:
                self._release()

    def _start(self, context: SinkContext) -> Session:
        state = State(self._state_file)
        try:
            refuse_other_store(context, state.store_id(), state.positions())
            if not context.adopting:
                state.claim(context.store_id)
            return Session(state, self._settings, self._path, context)
        except BaseException:
            state.close()
            raise

    def _release(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
        self._lock.release()

    def _make_folders(self) -> None:
        is_new = not self._path.exists()
        self._private.mkdir(parents=True, exist_ok=True)
        self._private.chmod(0o700)
        if is_new:
            self._settings.publish.grant(self._path)

    def _refuse_foreign_files(self) -> None:
        """Overwrite no file that this sink did not make."""
        if self._state_file.exists():
            return
        published = [self._path / f"{name}.csv" for name in STREAMS]
        published.append(self._path / freshness.FILE)
        found = [path.name for path in published if path.exists()]
        if found:
            raise SinkBroken(
                f"{self._path} has files that this sink did not write: {', '.join(found)}.",
                hint="Move them away, or choose another `path`.",
            )

    @property
    def _state_file(self) -> Path:
        return self._private / "state.sqlite"

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise RuntimeError("the sink is used before open() or after close()")
        return self._session

    # -- ShowsFreshness, ReadsBack, Publishes, Adopts, Checks, Forgets -------------------

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Replace `freshness.csv`; no other file is touched."""
        self._opened  # noqa: B018 - only while the folder is locked
        settings = self._settings
        with explained(self._path):
            freshness.show(self._path, settings.format, settings.publish, rows)

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source and stream."""
        with explained(self._path):
            yield from self._opened.table(stream).hashes(source)

    def read_published(self, source: str, stream: Stream, /) -> Iterator[tuple[str, Shown, str]]:
        """What the published file lacks, has otherwise, or has and should not."""
        with explained(self._path):
            yield from self._opened.read_published(source, stream)

    def publish_anew(self) -> None:
        """Replace every published file."""
        with explained(self._path):
            self._opened.publish_anew()

    def adopt(self, context: SinkContext, /) -> None:
        """Belong to the context's store and forget the sequences of the former one."""
        with explained(self._path):
            self._opened.state.adopt(context.store_id)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Write logs anew, and blank the records' former states in files of changes."""
        with explained(self._path):
            held = self._opened.forget(forgotten)
        return Erasure(complete=True, message=_REWRITTEN if held else "It held nothing about them.")

    def check(self, context: SinkContext, /) -> None:
        """Try the folder, the group and the recorded identity."""
        with explained(self._path):
            self._refuse_foreign_files()
            self._settings.publish.group_id()
            try_to_write(self._path)
            if self._state_file.exists():
                self._check_state(context)

    def _check_state(self, context: SinkContext) -> None:
        self._lock.acquire()
        try:
            state = State(self._state_file)
            try:
                refuse_other_store(context, state.store_id(), state.positions())
            finally:
                state.close()
        finally:
            self._lock.release()
