"""One stream of the sink: an append-only log of canonical lines, and an index of what counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress
from pathlib import Path
from typing import TYPE_CHECKING

from zimun_connectors.common.records import Known, is_news
from zimun_connectors.csv import canonical, extent, log
from zimun_connectors.csv.format import CANONICAL, column_forms
from zimun_connectors.csv.index import Index, Place
from zimun_connectors.csv.state import State
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Column, ColumnType, Stream
from zimun_sync.sinks import Head, StoredChange
from zimun_sync.stored import chosen, heads

if TYPE_CHECKING:
    import pyarrow as pa

#: A log is written anew when this much of it is dead, bytes, and that is more than counts.
_WORTH_REWRITING = 1 << 20

#: Lines whose new places are recorded at once; many at a time spare a B-tree's pages.
_MOVES = 50_000


@dataclass(frozen=True, slots=True)
class News:
    """Changes that alter a table.

    Args:
        source: whose they are.
        changes: the changes, in sequence order.
        heads: the same without their rows.
        former: what the table knows of those that it knew before, by key.
    """

    source: str
    changes: Sequence[StoredChange]
    heads: Sequence[Head]
    former: Mapping[str, Known]


class Table:
    """A stream's lines.

    Args:
        state: the sink's state.
        folder: where logs lie.
        stream: the stream.

    Raises:
        SinkBroken: a part of the log is gone.
    """

    def __init__(self, state: State, folder: Path, stream: Stream) -> None:
        self.stream = stream
        self._state = state
        self._folder = folder
        self.extent = extent.load(state.db, stream)
        self._index = Index(state.db, self.extent.id)
        self._mend()

    def _mend(self) -> None:
        """Remove what a crash left, and bring the log to the stream's present columns."""
        for path in self._folder.glob(f"{self.stream.name}.*.lines"):
            if path != self.path:
                path.unlink()
        found = self.path.stat().st_size if self.path.exists() else 0
        if found < self.extent.size:
            raise SinkBroken(
                f"{self.path} has {found} bytes, but {self.extent.size} were written to it.",
                hint="Restore the sink's folder as a whole, or set up a sink of another name "
                "with another path: a new sink is filled from the store.",
            )
        if self.extent.columns != tuple(column_forms(self.stream)):
            self.rewrite()

    @property
    def path(self) -> Path:
        """The log's present file."""
        return self._file(self.extent.number)

    def _file(self, number: int) -> Path:
        return self._folder / f"{self.stream.name}.{number}.lines"

    # -- writing -------------------------------------------------------------------------

    def news(self, source: str, changes: Sequence[StoredChange]) -> News:
        """Those of the changes that alter what the table holds."""
        offered = heads(changes)
        known = self._index.known(source, [head.key for head in offered])
        which = [is_news(head, known.get(head.key)) for head in offered]
        news = list(compress(offered, which))
        former = {head.key: known[head.key] for head in news if head.key in known}
        return News(source, chosen(changes, which), news, former)

    def known(self, source: str, keys: Sequence[str]) -> list[str]:
        """Those of the keys that were ever written."""
        return list(self._index.known(source, keys))

    def append(self, news: News) -> list[int]:
        """Add the changes' lines to the log, durably; only `record` makes them count.

        Returns:
            The length of each line, 0 for a deletion.
        """
        upserts = chosen(news.changes, (not head.deleted for head in news.heads))
        lengths: list[int] = []
        log.append(self.path, self.extent.size, self._spelled(news.source, upserts, lengths))
        left = iter(lengths)
        return [0 if head.deleted else next(left) for head in news.heads]

    def _spelled(
        self, source: str, upserts: Sequence[StoredChange], lengths: list[int]
    ) -> Iterator[bytes]:
        """The upserts' lines in parts; the length of each line goes to `lengths`."""
        for lines in canonical.lines(self.stream, source, upserts):
            lengths += map(len, lines)
            yield b"".join(lines)

    def record(self, news: News, lengths: Sequence[int]) -> extent.Extent:
        """Make appended lines count, within the caller's transaction.

        Returns:
            What `extent` is once the transaction is committed.
        """
        if news.former:
            self._index.bury(news.former.values())
        *starts, size = accumulate(lengths, initial=self.extent.size)
        self._index.put(news.source, news.heads, news.former, starts, lengths)
        grown = replace(self.extent, size=size, version=self.extent.version + 1)
        extent.save(self._state.db, grown)
        return grown

    def published(self, size: int, spelled_as: str) -> None:
        """Record that readers see the present version."""
        seen = replace(
            self.extent,
            published=self.extent.version,
            published_size=size,
            published_as=spelled_as,
        )
        extent.save(self._state.db, seen)
        self.extent = seen

    def rewrite_if_worth_it(self) -> None:
        """Write the log anew when most of it is dead."""
        dead = self._index.dead_size()
        if dead > max(_WORTH_REWRITING, self.extent.size - dead):
            self.rewrite()

    def rewrite(self) -> None:
        """Write the lines that count to a new log, with the stream's present columns."""
        former, number = self.path, self.extent.number + 1
        columns = tuple(column_forms(self.stream))
        move = self._closed_up if columns == self.extent.columns else self._spelled_anew
        with self._state.transaction():
            size = log.append(self._file(number), 0, move())
            self._index.forget_dead()
            moved = replace(self.extent, number=number, size=size, columns=columns)
            if columns != self.extent.columns:
                moved = replace(moved, version=moved.version + 1)
            extent.save(self._state.db, moved)
        self.extent = moved
        former.unlink(missing_ok=True)

    def _closed_up(self) -> Iterator[bytes]:
        """The lines that count, one behind the other; the index learns where each will lie."""
        self._index.close_up()
        return self.live()

    def _spelled_anew(self) -> Iterator[memoryview]:
        """The same with the stream's present columns."""
        from zimun_connectors.csv.respelling import line_lengths, lines, payload
        from zimun_connectors.csv.zones import Zones

        position, places = 0, list[Place]()
        for batch in self.rows():
            spelled = lines(batch, self.stream.columns, CANONICAL, Zones())
            sizes = line_lengths(spelled)
            owners = (batch.column(name).to_pylist() for name in ("_source", self.stream.key))
            places += zip(*owners, accumulate(sizes, initial=position), sizes, strict=False)
            position += sum(sizes)
            if len(places) > _MOVES:
                self._index.move(places)
                places.clear()
            yield payload(spelled)
        self._index.move(places)

    # -- reading -------------------------------------------------------------------------

    def live(self) -> Iterator[bytes]:
        """The lines that count, as canonical bytes in pieces of no particular border."""
        if not self.extent.size:
            return iter(())
        return log.read(self.path, log.gaps(self._index.dead(), self.extent.size))

    def rows(self) -> Iterator["pa.RecordBatch"]:
        """The rows that count; columns the log does not have yet are NULL."""
        from zimun_connectors.csv.respelling import completed, parse

        if self.extent.size == self._index.dead_size():
            return
        present = dict(zip(column_forms(self.stream), self.stream.columns, strict=True))
        gone = {name: Column(name, ColumnType.JSON, "") for name in self.extent.columns}
        columns = [(gone | present)[name] for name in self.extent.columns]
        for batch in parse(log.Pieces(self.live()), columns, self._index.longest()):
            yield completed(batch, self.stream)

    def hashes(self, source: str) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source."""
        return self._index.hashes(source)
