"""What a sink has at hand between `open` and `close`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING

from zimun_connectors.csv.changes import ChangeFile, ChangeFiles
from zimun_connectors.csv.config import CsvSettings
from zimun_connectors.csv.publish import Publisher
from zimun_connectors.csv.scrubbing import Target
from zimun_connectors.csv.state import State
from zimun_connectors.csv.table import News, Table
from zimun_sync.model import Stream
from zimun_sync.sinks import Forgotten, SinkContext, StoredChange

if TYPE_CHECKING:
    from zimun_connectors.csv.published import Difference


class Session:
    """The open sink: mended, published, ready to write.

    Args:
        state: the open state; closed with the session.
        settings: the sink's settings.
        folder: where its files lie.
        context: the engine's clock, and the streams that there are.
    """

    def __init__(
        self, state: State, settings: CsvSettings, folder: Path, context: SinkContext
    ) -> None:
        self.state = state
        self._private = folder / ".zimun"
        self._now = context.now
        self._tables = {
            stream.name: Table(state, self._private, stream) for stream in context.streams.values()
        }
        self._change_files = ChangeFiles(
            state.db,
            folder / "changes",
            settings.format,
            settings.publish,
            settings.changes_keep_days,
        )
        self._with_changes = settings.changes
        if settings.changes:
            self._change_files.mend(self._today)
        self._publisher = Publisher(folder, settings.format, settings.publish, context.now)
        self._looking = context.looking
        self.publish(more=False)

    @property
    def _today(self) -> date:
        return self._now().astimezone(UTC).date()

    def close(self) -> None:
        """Let go of the state."""
        self.state.close()

    def table(self, stream: Stream) -> Table:
        """The stream's table, with the columns it has now."""
        known = self._tables.get(stream.name)
        if known is None or known.stream != stream:
            known = self._tables[stream.name] = Table(self.state, self._private, stream)
        return known

    def publish(self, *, more: bool) -> None:
        """Let readers see what was written; see `Publisher.publish`."""
        if not self._looking:
            self._publisher.publish(self._tables, more=more)

    def publish_anew(self) -> None:
        """Replace every published file."""
        self._publisher.publish_anew(self._tables)

    def read_published(self, source: str, stream: Stream) -> Iterator["Difference"]:
        """What readers do not find as it is held; see `zimun_sync.sinks.Publishes`."""
        shown = self._publisher.shown(self.table(stream), self._tables)
        if shown is not None:
            yield from shown.differences(source)

    def write(self, source: str, stream: Stream, changes: Sequence[StoredChange]) -> int:
        """Write those of the changes that are news, durably.

        Returns:
            How many were.
        """
        table = self.table(stream)
        news = table.news(source, changes)
        lengths = table.append(news) if news.changes else []
        appended = self._append_changes(stream, news)
        with self.state.transaction():
            extent = table.record(news, lengths) if lengths else table.extent
            if appended:
                self._change_files.record(appended)
            self.state.advance(source, stream.name, changes[-1].seq)
        table.extent = extent
        return len(news.changes)

    def _append_changes(self, stream: Stream, news: News) -> ChangeFile | None:
        if not self._with_changes or not news.changes:
            return None
        return self._change_files.append(stream, news, self._today, self._tables)

    def forget(self, forgotten: Forgotten) -> bool:
        """Write the logs concerned anew, and blank former states in files of changes.

        Returns:
            Whether the sink ever held any of these records.
        """
        targets = list(self._targets(forgotten))
        for target in targets:
            self._tables[target.stream.name].rewrite()
            self._change_files.forget(target)
        self.publish(more=False)
        return bool(targets)

    def _targets(self, forgotten: Forgotten) -> Iterator[Target]:
        """What is to be forgotten of each stream that was ever written."""
        for name, table in self._tables.items():
            keys = {
                source: known
                for (source, stream), asked in forgotten.keys.items()
                if stream == name and (known := table.known(source, asked))
            }
            if keys:
                yield Target(table.stream, keys)
