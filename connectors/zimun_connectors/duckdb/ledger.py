"""What has been published, as the private database remembers it, and what has not been yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from zimun_connectors.duckdb import sql
from zimun_connectors.duckdb.state import State
from zimun_sync.model import Stream, to_micros


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

    def write_delta(self, target: Path, streams: Sequence[Stream], base: int) -> int:
        """Write a new file with every change since `base`; how many there are."""
        rows = self._state.rows
        rows(f"ATTACH {sql.literal(target)} AS delta (STORAGE_VERSION '{sql.DATA_STORAGE}')")
        try:
            with self._state.transaction():
                counts = [
                    rows(sql.create_delta(stream), {"base": base})[0][0] for stream in streams
                ]
        finally:
            rows("DETACH delta")
        return sum(counts)

    def empty_delta(self) -> str | None:
        """Fingerprint of the last delta published without a change in it."""
        return self._state.rows("SELECT empty_delta FROM _store")[0][0]  # type: ignore[no-any-return]

    def record_empty_delta(self, fingerprint: str | None) -> None:
        """Remember that the delta just put in place is empty."""
        self._state.rows("UPDATE _store SET empty_delta = ?", [fingerprint])

    # -- views ---------------------------------------------------------------------------

    def views(self) -> str | None:
        """Digest of the views' definition, as last published."""
        return self._state.rows("SELECT views FROM _store")[0][0]  # type: ignore[no-any-return]

    def record_views(self, digest: str) -> None:
        """Remember the views just put in place."""
        self._state.rows("UPDATE _store SET views = ?", [digest])
