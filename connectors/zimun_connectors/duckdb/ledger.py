"""What has been published, as the private database remembers it, and what has not been yet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from zimun_connectors.duckdb import sql
from zimun_connectors.duckdb.state import State
from zimun_sync.model import Stream, to_micros

#: From this many rows on, a table of the delta is extended instead of written anew.
EXTENDED_ROWS = 500


@dataclass(frozen=True, slots=True)
class Delta:
    """What a delta holds.

    Args:
        base: it has every change after the write with this stamp,
        stamp: up to the write with this one.
        changes: how many there are.
        tables: how many by stream, and what `State.applied` was then; empty if not known.
    """

    base: int
    stamp: int
    changes: int
    tables: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Count:
    """Changes since the write with stamp `base`, and all rows, after `applied` changes."""

    base: int
    changes: int
    rows: int
    applied: int


class Ledger:
    """The publisher's view of the private database.

    Args:
        state: the open private database.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._count: _Count | None = None
        self._snapshots = self._read_snapshots()

    # -- snapshots -----------------------------------------------------------------------

    def newest_snapshot(self) -> tuple[int, str | None]:
        """Stamp and fingerprint of the latest snapshot; 0 and None before the first."""
        found = self._state.rows("SELECT stamp, file FROM _snapshot ORDER BY stamp DESC LIMIT 1")
        return found[0] if found else (0, None)

    def oldest_snapshot(self, since: datetime) -> int:
        """Stamp of the oldest snapshot that was in place at any time after `since`."""
        before = [stamp for stamp, at in self._snapshots if at <= to_micros(since)]
        return max(before) if before else min((stamp for stamp, _ in self._snapshots), default=0)

    def _read_snapshots(self) -> list[tuple[Any, ...]]:
        return self._state.rows("SELECT stamp, published_at FROM _snapshot")

    def record_snapshot(self, fingerprint: str | None, now: datetime, grace: timedelta) -> None:
        """Remember the snapshot just put in place, and forget those older than `grace`."""
        oldest = self.oldest_snapshot(now - grace)
        with self._state.transaction():
            self._state.rows(
                "DELETE FROM _snapshot WHERE stamp < ? OR stamp = ?", [oldest, self._state.stamp]
            )
            self._state.rows(
                "INSERT INTO _snapshot VALUES (?, ?, ?)",
                [self._state.stamp, to_micros(now), fingerprint],
            )
        self._snapshots = self._read_snapshots()

    def checkpoint(self, *, merges: int) -> None:
        """Fold the log into the database file, so that a copy of the file is complete.

        Args:
            merges: how often DuckDB may write up to four row groups anew. All that it would at
                once can double the file; see `compaction`.
        """
        self._state.rows(sql.MERGES.format(merges))
        self._state.rows(f"CHECKPOINT {sql.DATABASE}")
        self._state.rows(sql.USUAL_MERGES)

    # -- deltas --------------------------------------------------------------------------

    def has_changes(self, streams: Sequence[Stream], base: int) -> bool:
        """Whether there are any since the write with that stamp, deletes included."""
        return self._counted(streams, base).changes > 0

    def has_more_changes(
        self, streams: Sequence[Stream], base: int, most: Callable[[int], float]
    ) -> bool:
        """Whether there are more changes since `base` than `most` allows of so many rows.

        Counts only when those of the last time and those made since could be too many.

        Args:
            streams: all of them.
            base: stamp of a write.
            most: grows with the number of rows.
        """
        if (last := self._count) is not None and last.base <= base:
            since = self._state.applied.total() - last.applied
            if last.changes + since <= most(last.rows - since):
                return False
        count = self._counted(streams, base)
        return count.changes > most(count.rows)

    def _counted(self, streams: Sequence[Stream], base: int) -> _Count:
        changes = self._state.rows(sql.count_changes(streams), {"base": base})[0][0]
        rows = self._state.rows(sql.count_rows(streams))[0][0]
        self._count = _Count(base, changes, rows, self._state.applied.total())
        return self._count

    def read_delta(self, path: Path) -> Delta | None:
        """What the delta in the making holds; None before the first."""
        with self._attached(path) as rows:
            tables = rows("SELECT 1 FROM duckdb_tables() WHERE database_name = 'delta'")
            return Delta(*rows("FROM delta._delta")[0]) if tables else None

    def write_delta(
        self, path: Path, streams: Sequence[Stream], base: int, former: Delta | None
    ) -> Delta:
        """Bring the delta in the making to every change since `base`, in one checkpoint.

        Args:
            path: the file.
            streams: all of them.
            base: stamp of a write.
            former: what it holds now; None if that is not known.
        """
        with self._attached(path) as rows:
            with self._state.transaction():
                tables = {stream.name: self._fill(stream, base, former) for stream in streams}
                changes = sum(count for count, _ in tables.values())
                delta = Delta(base, self._state.stamp, changes, tables)
                rows(sql.DESCRIBE_DELTA, [delta.base, delta.stamp, delta.changes])
            rows("CHECKPOINT delta")
        return delta

    def _fill(self, stream: Stream, base: int, former: Delta | None) -> tuple[int, int]:
        """Bring one table of the delta up to date; its count, and what `applied` is."""
        applied = self._state.applied[stream.name]
        if former is None or stream.name not in former.tables or base < former.base:
            return self._create(stream, base), applied
        count, applied_then = former.tables[stream.name]
        if applied == applied_then and (base == former.base or not count):
            return count, applied
        if base == former.base and count >= EXTENDED_ROWS:
            return count + self._extend(stream, former.stamp), applied
        return self._create(stream, base), applied

    def _create(self, stream: Stream, base: int) -> int:
        return int(self._state.rows(sql.create_delta(stream), {"since": base})[0][0])

    def _extend(self, stream: Stream, stamp: int) -> int:
        """Replace what has changed since that stamp; how much longer the table is then."""
        since = {"since": stamp}
        gone = self._state.rows(sql.delete_outdated(stream), since)[0][0]
        return int(self._state.rows(sql.extend_delta(stream), since)[0][0] - gone)

    @contextmanager
    def _attached(self, path: Path) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        self._state.rows(f"ATTACH {sql.literal(path)} AS delta ({sql.STORAGE_WITHOUT_LOG})")
        try:
            yield self._state.rows
        finally:
            self._state.rows("DETACH delta")

    # -- views ---------------------------------------------------------------------------

    def views(self) -> str | None:
        """Digest of the views' definition, as last published."""
        return self._state.rows("SELECT views FROM _store")[0][0]  # type: ignore[no-any-return]

    def record_views(self, digest: str) -> None:
        """Remember the views just put in place."""
        self._state.rows("UPDATE _store SET views = ?", [digest])
