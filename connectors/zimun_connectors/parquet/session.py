"""What a sink has at hand between `open` and `close`."""

from collections.abc import Iterator

from zimun_connectors.common.records import Known, Records, is_news
from zimun_connectors.parquet.config import ParquetSettings
from zimun_connectors.parquet.layout import Layout
from zimun_connectors.parquet.pending import Pending
from zimun_connectors.parquet.publish import Publisher
from zimun_connectors.parquet.rows import parts, split
from zimun_connectors.parquet.state import PART, State
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, Forgotten, SinkContext, StoredChange
from zimun_sync.stored import heads


class Session:
    """The open sink: mended, published, ready to write.

    Args:
        state: the open state; closed with the session.
        settings: the sink's settings.
        layout: where its files lie.
        context: the engine's clock, and the streams that there are.
    """

    def __init__(
        self, state: State, settings: ParquetSettings, layout: Layout, context: SinkContext
    ) -> None:
        self.state = state
        self._records = Records(state.db, PART)
        self._pending = Pending(state.db)
        self._looking = context.looking
        self._publisher = Publisher(state, self._pending, settings, layout, context.now)
        for stream in context.streams.values():
            self._publisher.held(stream)
        self.publish(more=False)

    def close(self) -> None:
        """Let go of the state."""
        self.state.close()

    def publish(self, *, more: bool) -> None:
        """Let readers see what was written; see `Publisher.publish`."""
        if not self._looking:
            self._publisher.publish(more=more)

    def write(self, batch: Batch) -> int:
        """Write those of the changes that are news, durably.

        Returns:
            How many were.
        """
        held = self._publisher.held(batch.stream)
        keys = [head.key for head in batch.heads]
        known = self._records.known(held.id, batch.source, keys)
        news = [change for change in batch.stored if is_news(change, known.get(change.key))]
        places = parts(batch.stream, news, dated=held.dated)
        with self.state.transaction():
            if news:
                self._take(batch, held.id, news, places, known)
            self.state.advance(batch.source, batch.stream.name, batch.last_seq)
        return len(news)

    def _take(
        self,
        batch: Batch,
        stream: int,
        news: list[StoredChange],
        places: list[str | None],
        known: dict[str, Known],
    ) -> None:
        stamp = self._pending.next_stamp()
        for part, rows in split(batch, news, places):
            self._pending.add(stream, stamp, part, rows)
        former = ((change.key, known[change.key].own) for change in news if change.key in known)
        gone = [(part, key) for key, (part,) in former if part is not None]
        self._pending.leave(stream, stamp, batch.source, gone)
        self._records.put(stream, batch.source, heads(news), known, places)

    def hashes(self, source: str, stream: Stream) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record of that source and stream."""
        return self._records.hashes(self._publisher.held(stream).id, source)

    def forget(self, forgotten: Forgotten) -> bool:
        """Remove everything that may have former states of these records.

        Returns:
            Whether the sink ever held any of them.
        """
        numbers = {name: number for number, name in self.state.names().items()}
        held = any(
            name in numbers and self._records.known(numbers[name], source, keys)
            for (source, name), keys in forgotten.keys.items()
        )
        if held:
            self._publisher.forget()
        return held
