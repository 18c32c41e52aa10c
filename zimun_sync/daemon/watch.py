"""Looking after things: what is wrong, what was rotated, what is past its time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from zimun_sync.daemon.engine import Engine
from zimun_sync.events import Emit
from zimun_sync.pipeline.cleaning import clean
from zimun_sync.status import RememberedCounts, Status, status_of, tell_changes
from zimun_sync.store import Store
from zimun_sync.wiring import retention

#: A process whose heart has not beaten for so long is stuck.
STUCK_SECONDS: Final = 60.0


class Heart:
    """Tells whether the process is stuck; beats on a thread of its own."""

    def __init__(self) -> None:
        self._beat_at = monotonic()

    def beat(self) -> None:
        """Show life."""
        self._beat_at = monotonic()

    def is_alive(self) -> bool:
        """Whether it has beaten lately."""
        return monotonic() - self._beat_at < STUCK_SECONDS


@dataclass(slots=True)
class SecretFiles:
    """Notices that files of secrets were changed.

    Args:
        files: which.
        changed: told once for each change.
    """

    files: Callable[[], Sequence[Path]]
    changed: Callable[[], None]
    _seen: Mapping[Path, tuple[int, int, int]] | None = field(default=None)

    def look(self) -> None:
        """Compare them with what they were."""
        present = {file: _mark(file) for file in self.files()}
        before, self._seen = self._seen, present
        if before is not None and before != present:
            self.changed()


def _mark(file: Path) -> tuple[int, int, int]:
    """What changes when a file is written or replaced; zeros while there is none."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


class Watch:
    """What is right and wrong with everything.

    Args:
        store: the state.
        engine: gives the present engine.
        emit: told what began and ended being wrong.
    """

    def __init__(self, store: Store, engine: Callable[[], Engine], emit: Emit) -> None:
        self._store = store
        self._engine = engine
        self._emit = emit
        self._counts = RememberedCounts(store)

    def status(self) -> Status:
        """How things stand now."""
        engine = self._engine()
        return status_of(
            self._store,
            engine.config,
            count=self._counts,
            skews=engine.clocks_ahead(),
            versions=engine.versions(),
        )

    def look(self) -> None:
        """Tell what changed for the worse or the better; not while nobody hears it."""
        if self._engine().is_stopping():
            return
        tell_changes(self._store, self.status(), self._emit)

    def clean(self) -> None:
        """Remove what is past its retention."""
        engine = self._engine()
        clean(self._store, retention(engine.config), self._emit, engine.is_stopping)
