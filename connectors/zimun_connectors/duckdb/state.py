"""The private database: every row, where delivery stands, and which store it comes from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from zimun_connectors.duckdb import files, sql
from zimun_connectors.duckdb.memory import enough_for, memory_of
from zimun_sync.errors import SinkBroken
from zimun_sync.model import ColumnType, Stream
from zimun_sync.sinks import Batch

if TYPE_CHECKING:  # a pull that changed nothing does without Arrow
    import pyarrow as pa

#: Version of the tables; a newer one is refused.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Which store fills the sink.

    Args:
        store_id: the store's identity, or None in a sink nobody has written to.
        positions: last sequence written by source, over all streams.
    """

    store_id: str | None
    positions: Mapping[str, int]


class State:
    """An open private database; one connection, used by one thread.

    Args:
        path: the file; created when missing.
        memory_limit: as DuckDB takes it, such as `96MB`.
        threads: how many DuckDB may use.
        read_only: only look; nothing is created or changed.

    Attributes:
        stamp: number of the latest write that changed something.
        applied: changes made by stream, since it was opened.
    """

    def __init__(
        self, path: Path, *, memory_limit: str, threads: int, read_only: bool = False
    ) -> None:
        self._path = path
        self._memory_limit = memory_limit
        self._wide_rows = False
        self._log = path.with_name(f"{path.name}.wal")
        self.applied: Counter[str] = Counter()
        self.connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "threads": threads,
                "temp_directory": str(path.parent / "spill"),
                "autoinstall_known_extensions": False,
                "preserve_insertion_order": False,
                "default_block_size": sql.BLOCK_SIZE,
                # Every checkpoint is the publisher's: see `files`.
                "checkpoint_threshold": "1TB",
                "auto_checkpoint_skip_wal_threshold": 1 << 60,
                "checkpoint_on_detach": "DISABLED",
            }
        )
        try:
            self._attach(path, read_only=read_only)
        except BaseException:
            self.connection.close()
            raise

    def _attach(self, path: Path, *, read_only: bool) -> None:
        self.rows("SET enable_progress_bar = false")  # it would go to standard output
        options = "READ_ONLY" if read_only else sql.STORAGE
        try:
            self.rows(f"ATTACH {sql.literal(path)} AS {sql.DATABASE} ({options})")
        except duckdb.InvalidInputException as error:  # another storage version than ours
            raise _foreign(path) from error
        self.rows(f"USE {sql.DATABASE}")
        self._recognize(path, read_only=read_only)
        if self._new:
            self.stamp = self._adopted = 0
        else:
            self._check_format(path)
            self.stamp, self._adopted = self.rows("SELECT stamp, adopted_stamp FROM _store")[0]
        self._buried = not self._new and bool(self.rows("SELECT 1 FROM _tombstone LIMIT 1"))

    def _recognize(self, path: Path, *, read_only: bool) -> None:
        """Create the system tables in a new database, and refuse somebody else's."""
        tables = self._tables()
        self._new = not tables
        if tables and "_store" not in tables:
            raise _foreign(path)
        if not read_only:
            path.chmod(0o600)
            if self._new:
                self._create_system_tables()
                self._new = False

    def _create_system_tables(self) -> None:
        with self.transaction():
            self.rows(sql.SYSTEM_TABLES)
            self.rows("INSERT INTO _store VALUES (?, NULL, 0, 0, NULL)", [FORMAT])

    def _check_format(self, path: Path) -> None:
        found = self.rows("SELECT format FROM _store")[0][0]
        if found > FORMAT:
            raise SinkBroken(
                f"{path} was written by a newer release (format {found}; this one knows {FORMAT}).",
                hint="Upgrade zimun-sync, or give the sink a new `path`: it fills from the store.",
            )

    def close(self) -> None:
        """Close the database; what no checkpoint has folded in yet stays in its log."""
        with suppress(duckdb.Error):  # after a fatal error nothing but closing works
            self.rows(f"USE memory; DETACH {sql.DATABASE}")  # closing alone would checkpoint
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's statements, or none; durable when it ends."""
        self.rows("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):  # the first error is the one to tell
                self.rows("ROLLBACK")
            raise
        self.rows("COMMIT")

    def rows(self, statement: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """The result of one statement, whole: a half-read one would keep the connection busy."""
        return self.connection.execute(statement, parameters).fetchall()

    def rewrite(self) -> None:
        """Move to a fresh file, in which nothing is left of rows that were replaced or deleted.

        Called while the log holds nothing that the next opening would not find out by itself.
        If it fails, only closing works.
        """
        with files.remaking(self._path) as new:
            self.rows(f"ATTACH {sql.literal(new)} AS fresh ({sql.STORAGE_WITHOUT_LOG})")
            self.rows(f"COPY FROM DATABASE {sql.DATABASE} TO fresh")
            self.rows("CHECKPOINT fresh")
            self.rows("DETACH fresh")
            self.rows(f"USE memory; DETACH {sql.DATABASE}")
        self._attach(self._path, read_only=False)

    def log_size(self) -> int:
        """Bytes of the log that no checkpoint has folded in yet."""
        return self._log.stat().st_size if self._log.exists() else 0

    def _tables(self) -> set[str]:
        found = self.rows(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [sql.DATABASE]
        )
        return {name for (name,) in found}

    # -- tables --------------------------------------------------------------------------

    def ensure(self, streams: Iterable[Stream]) -> bool:
        """Create missing tables and columns; whether there were any."""
        changed = False
        with self.transaction():
            tables = self._columns()
            types = dict(zip(sql.COLUMN_TYPES, self.rows(sql.TYPE_NAMES)[0], strict=True))
            for stream in streams:
                if stream.name not in tables:
                    self.rows(sql.create_table(stream))
                    changed = True
                else:
                    changed = self._add_columns(stream, tables[stream.name], types) or changed
            if changed:  # until a snapshot has them, also after a crash
                self.rows("UPDATE _snapshot SET file = NULL")
        return changed

    def _columns(self) -> dict[str, dict[str, str]]:
        """The types of every table's columns, in DuckDB's names."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.rows(sql.COLUMNS_OF, [sql.DATABASE]):
            found.setdefault(table, {})[column] = kind
        return found

    def _add_columns(
        self, stream: Stream, found: Mapping[str, str], types: Mapping[ColumnType, str]
    ) -> bool:
        """Add what the table lacks; a promoted column of another type begins empty.

        Any other column has the type it was made with, unless somebody changed it by hand: it
        gets it back, and what is no value of that type is left empty.
        """
        missing = [column for column in stream.columns if column.name not in found]
        others = [c for c in stream.columns if found.get(c.name, types[c.type]) != types[c.type]]
        for column in others:
            if column in stream.promoted:
                self.rows(sql.drop_column(stream, column))
                missing.append(column)
            else:
                self.rows(sql.restore_type(stream, column))
        for column in missing:
            self.rows(sql.add_column(stream, column))
        return bool(missing or others)

    # -- identity ------------------------------------------------------------------------

    def identity(self) -> Identity:
        """Which store fills this sink, and how far it came."""
        if self._new:
            return Identity(None, {})
        store_id = self.rows("SELECT store_id FROM _store")[0][0]
        positions = self.rows("SELECT source, max(seq) FROM _position GROUP BY source")
        return Identity(store_id, dict(positions))

    def claim(self, store_id: str) -> None:
        """Record the store in a sink that belongs to none."""
        self.rows("UPDATE _store SET store_id = ? WHERE store_id IS NULL", [store_id])

    def adopt(self, store_id: str) -> None:
        """Belong to that store from now on; sequences known so far mean nothing any more."""
        with self.transaction():
            self.rows("UPDATE _store SET store_id = ?, adopted_stamp = stamp", [store_id])
            self.rows("DELETE FROM _position")
        self._adopted = self.stamp

    # -- rows ----------------------------------------------------------------------------

    def write(self, batch: Batch) -> int:
        """Apply a batch and record its position, in one transaction; how many changes it made.

        A load takes less memory than DuckDB may have, unless rows turn out to be so wide that it
        needs all of that: from then on it may have it.
        """
        enough = enough_for(len(batch), self._memory_limit)
        if enough is not None and not self._wide_rows:
            try:
                with memory_of(self.connection, enough, self._memory_limit):
                    return self._write(batch)
            except duckdb.OutOfMemoryException:
                self._wide_rows = True
        return self._write(batch)

    def _write(self, batch: Batch) -> int:
        stamp = self.stamp + 1
        with self.transaction():
            applied = self._upsert(batch, stamp) + self._delete(batch, stamp)
            self._advance(batch)
            if applied:
                self.rows("UPDATE _store SET stamp = ?", [stamp])
        if applied:
            self.stamp = stamp
            self.applied[batch.stream.name] += applied
        return applied

    def _upsert(self, batch: Batch, stamp: int) -> int:
        from zimun_sync.arrow import upserts

        rows = upserts(batch)
        if not rows.num_rows:
            return 0
        with self.registered("incoming", rows):
            kept = self._make_way(batch)
            if len(kept) == rows.num_rows:
                return 0
            insert = sql.insert_incoming(batch.stream, all_of_it=not kept)
            left_out = {"kept": kept} if kept else {}
            return int(self.rows(insert, {"stamp": stamp, **left_out})[0][0])

    def _make_way(self, batch: Batch) -> list[str]:
        """Remove what the upserts in `incoming` replace; the keys of those not to be taken."""
        stream = batch.stream
        place = {"source": batch.source, "adopted": self._adopted}
        held = self.rows(sql.find_held(stream), place)
        if superseded := [rowid for _, rowid, keep in held if not keep]:
            self.rows(sql.delete_superseded(stream), {"places": superseded})
        return [key for key, _, keep in held if keep] + self._unbury(batch)

    def _unbury(self, batch: Batch) -> list[str]:
        """Forget the tombstones of what is incoming; the keys of those that are later."""
        if not self._buried:
            return []
        place = {"source": batch.source, "stream": batch.stream.name}
        found = self.rows(sql.find_buried(batch.stream), {**place, "adopted": self._adopted})
        if back := [key for key, later in found if not later]:
            self.rows(sql.UNBURY, {**place, "keys": back})
        return [key for key, later in found if later]

    def _delete(self, batch: Batch, stamp: int) -> int:
        from zimun_sync.arrow import deletes

        rows = deletes(batch)
        if not rows.num_rows:
            return 0
        stream, source = batch.stream, batch.source
        with self.registered("gone", rows):
            found = {"source": source, "adopted": self._adopted}
            self.rows(sql.find_gone(stream), found)
        buried = {"stream": stream.name, "source": source, "stamp": stamp}
        self.rows(sql.BURY, buried)
        self._buried = True
        return int(self.rows(sql.delete_gone(stream))[0][0])

    @contextmanager
    def registered(self, name: str, rows: object) -> Iterator[None]:
        """Arrow rows under a table's name, for the block."""
        self.connection.register(name, rows)
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):  # a failed transaction takes no more statements
                self.connection.unregister(name)
            raise
        self.connection.unregister(name)

    def _advance(self, batch: Batch) -> None:
        place = [batch.source, batch.stream.name]
        known = self.rows(
            "UPDATE _position SET seq = greatest(seq, ?) WHERE source = ? AND stream = ?",
            [batch.last_seq, *place],
        )
        if not known[0][0]:
            self.rows("INSERT INTO _position VALUES (?, ?, ?)", [*place, batch.last_seq])

    def knows(self, source: str, stream: Stream, keys: Sequence[str]) -> bool:
        """Whether any of these records was ever written: it is there, or its tombstone is."""
        place = {"source": source, "keys": list(keys)}
        return bool(
            self.rows(sql.find_known(stream), place)
            or self.rows(sql.FIND_BURIED_KEYS, {**place, "stream": stream.name})
        )

    def read_back(self, source: str, stream: Stream) -> Iterator[tuple[str, str]]:
        """Key and hash of every row of that source and stream, in the order of keys.

        Read a part at a time: a result held open would stop the next snapshot.
        """
        after = ""
        while rows := self.rows(sql.read_back(stream), {"source": source, "after": after}):
            yield from rows
            after = rows[-1][0]

    def read_rows(self, source: str, stream: Stream) -> "Iterator[pa.Table]":
        """Every row of that source and stream with its hash, in the order of keys, in parts."""
        after = ""
        while True:
            parameters = {"source": source, "after": after}
            found = self.connection.sql(sql.read_rows(stream), params=parameters)
            rows: pa.Table = found.to_arrow_table()
            if not rows.num_rows:
                return
            yield rows
            after = rows.column(stream.key)[-1].as_py()


def _foreign(path: Path) -> SinkBroken:
    return SinkBroken(
        f"{path} is a DuckDB database, but not one of zimun-sync.",
        hint="Choose another `path` for the sink, or move that file away.",
    )
