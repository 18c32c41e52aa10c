"""Publishing: how what the private database holds reaches readers who never wait.

Readers' views pair a snapshot with a delta, two files that are replaced one at a time. DuckDB
opens the snapshot first, so a reader may hold a snapshot older than its delta, never newer.
Three rules make each such pair the truth of one instant (docs/adr/0002-duckdb-publish.md):

1. A delta holds every change since its base, and its base is no newer than any snapshot that
   was in place during the last `GRACE`, the time a reader may take from one file to the next.
2. Before a snapshot is replaced, a delta at least as new is in place,
3. or the delta in place is empty: then it hides nothing, and any snapshot is right by itself.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from zimun_connectors.duckdb import files
from zimun_connectors.duckdb.files import Access, Layout
from zimun_connectors.duckdb.ledger import Ledger
from zimun_connectors.duckdb.state import State
from zimun_connectors.duckdb.views import publish_views
from zimun_sync.model import Stream

#: Longest time a reader may take between opening the snapshot and opening the delta.
GRACE = timedelta(seconds=10)

#: How often to publish while more changes are waiting.
INTERVAL = timedelta(seconds=5)

#: A delta of more changes than this, and than this share of all rows, calls for a snapshot.
DELTA_ROWS, DELTA_SHARE = 20_000, 0.2


class Publisher:
    """Keeps the published files in step with the private database.

    Args:
        state: the open private database.
        layout: where the files lie.
        access: who may read them.
        now: the clock, aware UTC.
    """

    def __init__(
        self, state: State, layout: Layout, access: Access, now: Callable[[], datetime]
    ) -> None:
        self._state = state
        self._ledger = Ledger(state)
        self._layout = layout
        self._access = access
        self._now = now
        self._streams: dict[str, Stream] = {}
        self._published: int | None = None
        self._published_at = now()
        self._delta_base: int | None = None
        self._delta_empty = False
        self._free_copies = files.shares_blocks(layout)

    def introduce(self, streams: Iterable[Stream]) -> None:
        """Give streams their tables and views and publish; those already known cost nothing."""
        wanted = {stream.name: stream for stream in streams}
        if wanted.items() <= self._streams.items():
            return
        changed = self._state.ensure(wanted.values())
        self._streams |= wanted
        self._mend(schema_changed=changed)
        publish_views(self._ledger, self._layout, self._access, self._streams.values())

    def _mend(self, *, schema_changed: bool) -> None:
        """Publish whatever a crash, a new release or a helping hand left behind or undone."""
        stamp, known = self._ledger.newest_snapshot()
        snapshot = files.fingerprint(self._layout.snapshot)
        delta = files.fingerprint(self._layout.delta)
        self._delta_empty = delta is not None and delta == self._ledger.empty_delta()
        if snapshot is None or delta is None:
            self._write_delta(self._state.stamp)
        intact = snapshot is not None and delta is not None and snapshot == known
        if intact and self._delta_empty:
            self._published = stamp
        self._publish(must_replace=schema_changed or not intact)

    def publish(self, *, more: bool) -> None:
        """Let readers see every change; with `more` to come, only once every `INTERVAL`."""
        if not more or self._now() - self._published_at >= INTERVAL:
            self._publish(must_replace=False)

    def _publish(self, *, must_replace: bool) -> None:
        base = self._ledger.oldest_snapshot(self._now() - GRACE)
        if must_replace or not self._in_place(base):
            if must_replace or self._too_much_since(base):
                self._cover(base)
                self._write_snapshot()
            else:
                self._write_delta(base)
            self._published = self._state.stamp
        self._published_at = self._now()

    def _in_place(self, base: int) -> bool:
        """Whether readers see everything, through a delta as small as it can be."""
        smallest = self._delta_empty or self._delta_base == base
        return smallest and self._published == self._state.stamp

    def _too_much_since(self, base: int) -> bool:
        streams = list(self._streams.values())
        changes = self._ledger.count_changes(streams, base)
        if self._free_copies:
            return changes > 0
        return changes > max(DELTA_ROWS, DELTA_SHARE * self._ledger.count_rows(streams))

    def _cover(self, base: int) -> None:
        """Put a delta in place that is right beside the present snapshot and the coming one."""
        if self._delta_empty:
            return
        snapshot_holds_all = self._published == base == self._ledger.newest_snapshot()[0]
        self._write_delta(self._state.stamp if snapshot_holds_all else base)

    def _write_delta(self, base: int) -> None:
        with files.replacing(self._layout.delta, self._layout, self._access) as new:
            rows = self._ledger.write_delta(new, list(self._streams.values()), base)
        self._delta_base, self._delta_empty = base, rows == 0
        if self._delta_empty:
            self._ledger.record_empty_delta(files.fingerprint(self._layout.delta))

    def _write_snapshot(self) -> None:
        self._ledger.checkpoint()
        with files.replacing(self._layout.snapshot, self._layout, self._access) as new:
            files.copy(self._layout.state, new)
        published = files.fingerprint(self._layout.snapshot)
        self._ledger.record_snapshot(published, self._now(), GRACE)
