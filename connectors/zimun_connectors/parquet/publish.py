"""Publishing: the next version, made of the latest one and of what was written since.

The order is what makes it safe. A version is drafted where nobody looks, flushed, and moved to
its place; then one transaction makes it the latest and forgets what waited for it; then
`current` is switched. Killed between any two, `open` removes a version that is not recorded,
or switches to the one that is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

import pyarrow as pa

from zimun_connectors.parquet import files
from zimun_connectors.parquet.config import ParquetSettings
from zimun_connectors.parquet.layout import UNDATED, WHOLE, Layout, file_name, is_dated
from zimun_connectors.parquet.pending import Pending
from zimun_connectors.parquet.rows import schema
from zimun_connectors.parquet.state import Held, State
from zimun_connectors.parquet.versions import Draft, File, Versions
from zimun_sync.model import Stream

#: While more batches wait, a version is made this often at most, and so seldom that making
#: them takes no more than one part in `_SHARE` of the time.
_PAUSE = timedelta(seconds=15)
_SHARE = 10


class Publisher:
    """Publishes the streams it is told of.

    Args:
        state: the open state.
        pending: what waits to be published.
        settings: the sink's settings.
        layout: where the files lie.
        now: the engine's clock.
    """

    def __init__(
        self,
        state: State,
        pending: Pending,
        settings: ParquetSettings,
        layout: Layout,
        now: Callable[[], datetime],
    ) -> None:
        self._state = state
        self._pending = pending
        self._settings = settings
        self._layout = layout
        self._now = now
        self._next = now()
        self._streams: dict[str, tuple[Stream, Held]] = {}
        self._versions = Versions(state.db, layout, settings.publish)
        self._versions.mend()

    def held(self, stream: Stream) -> Held:
        """What is recorded of the stream, which will be published from now on."""
        known = self._streams.get(stream.name)
        if known is None or known[0] != stream:
            known = stream, self._state.stream(stream.name, dated=is_dated(stream))
            self._streams[stream.name] = known
        return known[1]

    def publish(self, *, more: bool) -> None:
        """Let readers see every change.

        Args:
            more: whether more batches wait, so that this may be put off for a while.
        """
        started = self._now()
        if more and started < self._next:
            return
        stale = {name: parts for name in self._streams if (parts := self._stale(name)) is not None}
        if stale:
            self._make_version(stale)
        self._retire()
        ended = self._now()
        self._next = ended + max(_PAUSE, (ended - started) * _SHARE)

    def _form(self, stream: Stream) -> str:
        columns = [(column.name, column.type.value, column.comment) for column in stream.columns]
        return repr((self._settings.compression, columns))

    def _stale(self, name: str) -> set[str] | None:
        """Parts of the stream to be written; None where the latest version has all of it right."""
        stream, held = self._streams[name]
        parts = self._pending.parts(held.id)
        if held.form != self._form(stream):
            return parts | {f.part for f in self._versions.files() if f.stream == held.id}
        return parts or None

    def _make_version(self, stale: dict[str, set[str]]) -> None:
        number, draft = self._versions.latest + 1, Draft(self._layout, self._settings.publish)
        former = self._former_files()
        found = former | {
            name: self._renewed(name, parts, former.get(name, []), draft, number)
            for name, parts in stale.items()
        }
        known = {file.name for of_stream in former.values() for file in of_stream}
        every = [file for of_stream in found.values() for file in of_stream]
        for file in every:
            if file.name in known:
                draft.keep(self._layout.version(number - 1), file)
        draft.describe(number, self._now(), found)
        draft.place(number)
        self._record(number, stale, every)
        self._versions.switch()

    def _former_files(self) -> dict[str, list[File]]:
        names, found = self._state.names(), dict[str, list[File]]()
        for file in self._versions.files():
            found.setdefault(names[file.stream], []).append(file)
        return found

    def _renewed(
        self, name: str, stale: set[str], former: list[File], draft: Draft, number: int
    ) -> list[File]:
        """The stream's files in the new version; those of stale parts are written.

        A stream without rows has one empty file, so that readers know its columns.
        """
        known = {file.part: file for file in former}
        filled = [file for file in former if file.part not in stale and file.rows]
        for part in sorted(stale):
            rows = self._rows(name, part, known.get(part))
            if (first := next(rows, None)) is not None:
                filled.append(self._write(name, part, chain([first], rows), draft, number))
        if not filled:
            empty = UNDATED if self._streams[name][1].dated else WHOLE
            filled.append(self._write(name, empty, [], draft, number))
        return sorted(filled, key=lambda file: file.part)

    def _rows(self, name: str, part: str, former: File | None) -> Iterator[pa.Table]:
        stream, held = self._streams[name]
        source = self._layout.version(self._versions.latest) / former.name if former else None
        place = held.id, part
        rows = files.merged(source, self._pending, place, stream.key, schema(stream))
        return (table for table in rows if table.num_rows)

    def _write(
        self, name: str, part: str, rows: Iterable[pa.Table], draft: Draft, number: int
    ) -> File:
        stream, held = self._streams[name]
        called = file_name(name, part, number)
        path = draft.path(called)
        count = files.write(path, rows, schema(stream), self._settings.compression)
        return File(held.id, part, called, count, files.finish(path, self._settings.publish))

    def _record(self, number: int, stale: dict[str, set[str]], every: list[File]) -> None:
        with self._state.transaction():
            for name in stale:
                stream, held = self._streams[name]
                self._pending.clear(held.id)
                self._state.set_form(held.id, self._form(stream))
            self._versions.record(number, self._now(), every)
        for name in stale:
            stream, held = self._streams[name]
            self._streams[name] = stream, replace(held, form=self._form(stream))
        self._state.shrink()

    def _retire(self) -> None:
        settings = self._settings
        self._versions.retire(self._now(), settings.keep_versions, settings.keep_for)

    def forget(self) -> None:
        """Publish everything, and keep no version or page that has former rows."""
        self.publish(more=False)
        self._versions.retire(self._now(), keep=0, keep_for=timedelta(0))
        self._state.rewrite()
