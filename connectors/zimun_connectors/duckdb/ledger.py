"""What has been published, as the private database remembers it, and what has not been yet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from zimun_connectors.duckdb import sql
from zimun_connectors.duckdb.state import State
from zimun_sync.model import Stream, to_micros


@dataclass(frozen=True, slots=True)
class Delta:
    """What a delta holds.

    Args:
        base: it has every change after the write with this stamp,
        stamp: up to the write with this one.
        changes: how many there are.
    """

    base: int
    stamp: int
    changes: int


class Ledger:
    """The publisher's view of the private database.

    Args:
        state: the open private database.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    # -- snapshots -----------------------------------------------------------------------

    def newest_snapshot(self) -> tuple[int, str | None]:
        """Stamp and fingerprint of the latest snapshot; 0 and None before the first."""
        found = self._state.rows("SELECT stamp, file FROM _snapshot ORDER BY stamp DESC LIMIT 1")
        return found[0] if found else (0, None)

    def oldest_snapshot(self, since: datetime) -> int:
        """Stamp of the oldest snapshot that was in place at any time after `since`."""
        found = self._state.rows(sql.OLDEST_SNAPSHOT, {"since": to_micros(since)})
        return int(found[0][0])

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

    def checkpoint(self) -> None:
        """Fold the log into the database file, so that a copy of the file is complete."""
        self._state.rows(f"CHECKPOINT {sql.DATABASE}")

    # -- deltas --------------------------------------------------------------------------

    def count_changes(self, streams: Sequence[Stream], base: int) -> int:
        """Changes since the write with that stamp, deletes included."""
        return int(self._state.rows(sql.count_changes(streams), {"base": base})[0][0])

    def count_rows(self, streams: Sequence[Stream]) -> int:
        """Rows of all the streams."""
        return int(self._state.rows(sql.count_rows(streams))[0][0])

    def read_delta(self, path: Path) -> Delta | None:
        """What the delta in the making holds; None before the first."""
        with self._attached(path) as rows:
            tables = rows("SELECT 1 FROM duckdb_tables() WHERE database_name = 'delta'")
            return Delta(*rows("FROM delta._delta")[0]) if tables else None

    def write_delta(self, path: Path, streams: Sequence[Stream], base: int) -> Delta:
        """Replace the delta in the making by every change since `base`, in one checkpoint."""
        with self._attached(path) as rows:
            with self._state.transaction():
                counts = [
                    rows(sql.create_delta(stream), {"base": base})[0][0] for stream in streams
                ]
                delta = Delta(base, self._state.stamp, sum(counts))
                rows(sql.DESCRIBE_DELTA, astuple(delta))
            rows("CHECKPOINT delta")
        return delta

    @contextmanager
    def _attached(self, path: Path) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        storage = sql.literal(sql.DATA_STORAGE)
        self._state.rows(f"ATTACH {sql.literal(path)} AS delta (STORAGE_VERSION {storage})")
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
