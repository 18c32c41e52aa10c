"""Publishing: how what the private database holds reaches readers who never wait.

Readers' views pair a snapshot with a delta, two files that are replaced one at a time. DuckDB
opens the snapshot first, so a reader may hold a snapshot older than its delta, never newer.
Three rules make each such pair the truth of one instant (docs/adr/0002-duckdb-publish.md):

1. A delta holds every change since its base, and its base is no newer than any snapshot that
   was in place during the last `GRACE`, the time a reader may take from one file to the next.
2. Before a snapshot is replaced, a delta at least as new is in place,
3. or the delta in place is empty: then it hides nothing, and any snapshot is right by itself.

A file is never replaced by one that is more than a checkpoint ahead (see `files`), so each
checkpoint is followed by a publication, and one that was cut short is finished on opening.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from zimun_connectors.duckdb import files
from zimun_connectors.duckdb.compaction import compact
from zimun_connectors.duckdb.config import DuckdbSettings
from zimun_connectors.duckdb.files import Layout
from zimun_connectors.duckdb.ledger import Ledger
from zimun_connectors.duckdb.state import State
from zimun_connectors.duckdb.views import publish_views
from zimun_sync.model import Stream
from zimun_sync.sinks import Forgotten

#: Longest time a reader may take between opening the snapshot and opening the delta.
GRACE = timedelta(seconds=10)

#: How often to publish while more changes are waiting.
INTERVAL = timedelta(seconds=15)

#: A delta of more changes than this, and than this share of all rows, calls for a snapshot;
#: one that could stay empty does so from the share alone.
DELTA_ROWS, DELTA_SHARE = 20_000, 0.2

#: Bytes of log and delta that are folded into a snapshot after a pull: more than this, and than
#: this share of the private database.
FOLDED_SIZE, FOLDED_SHARE = 500_000, 0.05

#: Room on the disk that this takes, as a multiple of the private database.
ROOM = 1.5

#: Bytes of the private database's log that call for a checkpoint, and so for a snapshot.
LOG_SIZE = 64_000_000


class Publisher:
    """Keeps the published files in step with the private database.

    Args:
        state: the open private database.
        layout: where the files lie.
        settings: of the sink: who may read the files, and which views there are.
        now: the clock, aware UTC.
        looking: whether changes that readers do not see yet are to wait.
    """

    def __init__(
        self,
        state: State,
        layout: Layout,
        settings: DuckdbSettings,
        now: Callable[[], datetime],
        *,
        looking: bool = False,
    ) -> None:
        self._state = state
        self._looking = looking
        self._ledger = Ledger(state)
        self._layout = layout
        self._access = settings.publish
        self._with_model = settings.model
        self._now = now
        self._streams: dict[str, Stream] = {}
        self._published: int | None = None
        self._published_at = now()
        self._delta = self._ledger.read_delta(layout.private_delta)
        self._free_copies = files.shares_blocks(layout)
        # The published files are copies of these: what was cut short is finished by now.
        self._sizes = {path: path.stat().st_size for path in (layout.state, layout.private_delta)}

    def introduce(self, streams: Iterable[Stream]) -> None:
        """Give streams their tables and views and publish; those already known cost nothing."""
        wanted = {stream.name: stream for stream in streams}
        if wanted.items() <= self._streams.items():
            return
        if self._state.ensure(wanted.values()) and self._delta is not None:
            self._delta = replace(self._delta, tables={})  # which have other columns now
        self._streams |= wanted
        self._mend()
        publish_views(
            self._ledger,
            self._layout,
            self._access,
            self._streams.values(),
            model=self._with_model,
        )

    def _mend(self) -> None:
        """Publish whatever a crash, a new release or a helping hand left behind or undone."""
        newest, recorded = self._ledger.newest_snapshot()
        snapshot = files.fingerprint(self._layout.snapshot)
        schema_changed = recorded is None
        intact = snapshot is not None and snapshot == recorded
        if snapshot is None or not self._layout.delta.exists() or self._delta is None:
            intact = False
            self._write_delta(self._state.stamp)
        elif schema_changed and self._delta_empty:  # else a delta is about to be written
            self._write_delta(self._state.stamp)
        elif intact:
            self._published = newest if self._delta_empty else self._delta.stamp
        if not (intact and self._looking):
            self._publish(must_replace=not intact)

    def publish(self, *, more: bool) -> None:
        """Let readers see every change.

        With `more` to come, only once every `INTERVAL`, or when the log has grown long.
        """
        if self._looking:
            return
        due = self._now() - self._published_at >= INTERVAL
        if not more or due or self._log_is_long():
            self._publish(must_replace=False)

    def _publish(self, *, must_replace: bool) -> None:
        base = self._ledger.oldest_snapshot(self._now() - GRACE)
        if must_replace or not self._in_place(base):
            if must_replace or self._log_is_long() or self._too_much_since(base):
                self._cover(base)
                self._write_snapshot()
            else:
                self._write_delta(base)
            self._published = self._state.stamp
        self._published_at = self._now()

    def _in_place(self, base: int) -> bool:
        """Whether readers see everything, through a delta as small as it can be."""
        smallest = self._delta_empty or (self._delta is not None and self._delta.base == base)
        return smallest and self._published == self._state.stamp

    @property
    def _delta_empty(self) -> bool:
        return self._delta is not None and self._delta.changes == 0

    def _log_is_long(self) -> bool:
        return self._state.log_size() > LOG_SIZE

    def _too_much_since(self, base: int) -> bool:
        """Whether a snapshot is the better way to bring readers the changes since `base`."""
        streams = list(self._streams.values())
        if self._free_copies:
            return self._ledger.has_changes(streams, base)
        least = 0 if self._delta_empty else DELTA_ROWS
        return self._ledger.has_more_changes(
            streams, base, lambda rows: max(least, DELTA_SHARE * rows)
        )

    def tidy(self) -> None:
        """Fold log and delta into a snapshot where they have grown, and make the file smaller.

        For a quiet moment, as after a pull. Does nothing while a reader may still hold the
        snapshot before the present one, for until then the delta cannot get smaller, and nothing
        where the disk is nearly full.
        """
        newest, _ = self._ledger.newest_snapshot()
        settled = self._ledger.oldest_snapshot(self._now() - GRACE) == newest
        if self._looking or not settled or newest == self._state.stamp or not self._has_grown():
            return
        compact(self._state, list(self._streams.values()))
        self._publish(must_replace=True)

    def _has_grown(self) -> bool:
        """Whether log and delta are worth a snapshot, for which there has to be room."""
        grown = self._state.log_size() + self._layout.private_delta.stat().st_size
        size = self._layout.state.stat().st_size
        free = shutil.disk_usage(self._layout.data).free
        return max(FOLDED_SIZE, FOLDED_SHARE * size) < grown and ROOM * size < free

    def _cover(self, base: int) -> None:
        """Put a delta in place that is right beside the present snapshot and the coming one."""
        if self._delta_empty or self._in_place(base):
            return
        snapshot_holds_all = self._published == base == self._ledger.newest_snapshot()[0]
        self._write_delta(self._state.stamp if snapshot_holds_all else base)

    def _write_delta(self, base: int) -> None:
        layout, streams = self._layout, list(self._streams.values())
        former, self._delta = self._delta, None  # unknown until it is in place
        delta = self._ledger.write_delta(layout.private_delta, streams, base, former)
        self._show(layout.private_delta, layout.delta, detached=True)
        self._delta = delta

    def _write_snapshot(self) -> None:
        layout = self._layout
        # Where every publication is a snapshot, each leaves a row group of a few rows.
        self._ledger.checkpoint(merges=1 if self._free_copies else 0)
        self._show(layout.state, layout.snapshot)
        self._ledger.record_snapshot(files.fingerprint(layout.snapshot), self._now(), GRACE)

    def _show(
        self, private: Path, published: Path, *, detached: bool = False, fresh: bool = False
    ) -> None:
        """Publish a private file; see `files.publish`. One made afresh keeps no former end."""
        kept = 0 if fresh else self._sizes[private]
        files.publish(private, published, self._layout, self._access, detached=detached, kept=kept)
        self._sizes[private] = private.stat().st_size

    # -- forgetting ----------------------------------------------------------------------

    def knows(self, forgotten: Forgotten) -> bool:
        """Whether the sink ever held any of these records."""
        return any(
            name in self._streams and self._state.knows(source, self._streams[name], keys)
            for (source, name), keys in forgotten.keys.items()
        )

    def renew(self) -> None:
        """Put files made afresh in every file's place: none has old rows in blocks set free.

        The snapshot is replaced in the usual way first, which empties the log and covers the
        readers of an older one; from then on each file replaces one of the same content.
        """
        self._publish(must_replace=True)
        self._renew_delta()
        self._renew_snapshot()

    def _renew_delta(self) -> None:
        layout, streams = self._layout, list(self._streams.values())
        base = self._ledger.oldest_snapshot(self._now() - GRACE)
        self._delta = None  # unknown until it is in place
        with files.remaking(layout.private_delta) as new:
            delta = self._ledger.write_delta(new, streams, base, None)
        self._show(layout.private_delta, layout.delta, detached=True, fresh=True)
        self._delta = delta

    def _renew_snapshot(self) -> None:
        layout = self._layout
        self._state.rewrite()
        self._show(layout.state, layout.snapshot, fresh=True)
        self._ledger.record_snapshot(files.fingerprint(layout.snapshot), self._now(), GRACE)
