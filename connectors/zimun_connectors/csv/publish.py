"""The files that readers see: made from the logs, replaced as a whole."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import replacing
from zimun_connectors.csv.format import Format, column_forms, column_names
from zimun_connectors.csv.table import Table

if TYPE_CHECKING:
    from zimun_connectors.csv.published import Published

#: While more batches wait, files are replaced this often at most, and so seldom that
#: replacing them takes no more than one part in `_SHARE` of the time.
_PAUSE = timedelta(seconds=5)
_SHARE = 10


class Publisher:
    """Publishes the tables it is given.

    Args:
        folder: where the files lie.
        spelling: how they are spelled.
        access: who may read them.
        now: the engine's clock.
    """

    def __init__(
        self, folder: Path, spelling: Format, access: PublishSettings, now: Callable[[], datetime]
    ) -> None:
        self._folder = folder
        self._spelling = spelling
        self._access = access
        self._now = now
        self._next = now()

    def publish(self, tables: dict[str, Table], *, more: bool) -> None:
        """Replace every file that is not up to date.

        Args:
            tables: by name of the stream.
            more: whether more batches wait, so that this may be put off for a while.
        """
        started = self._now()
        if more and started < self._next:
            return
        for table in tables.values():
            if self._is_stale(table):
                self._replace(table, tables)
        ended = self._now()
        self._next = ended + max(_PAUSE, (ended - started) * _SHARE)

    def path(self, table: Table) -> Path:
        """The published file."""
        return self._folder / f"{table.stream.name}.csv"

    def publish_anew(self, tables: dict[str, Table]) -> None:
        """Replace every file, whatever it is now."""
        for table in tables.values():
            self._replace(table, tables)

    def shown(self, table: Table, tables: dict[str, Table]) -> "Published | None":
        """A table's file and what it should be; None while something is yet to be published."""
        from zimun_connectors.csv.published import Published

        extent = table.extent
        if extent.published != extent.version or extent.published_as != self._form(table):
            return None
        return Published(
            self.path(table),
            lambda: map(bytes, self._content(table, tables)),
            column_names(table.stream),
            table.stream.key,
            self._spelling.delimiter,
        )

    def _is_stale(self, table: Table) -> bool:
        extent, path = table.extent, self.path(table)
        return (
            extent.published != extent.version
            or extent.published_as != self._form(table)
            or not path.exists()
            or path.stat().st_size != extent.published_size
        )

    def _form(self, table: Table) -> str:
        return repr((self._spelling, column_forms(table.stream)))

    def _replace(self, table: Table, tables: dict[str, Table]) -> None:
        table.rewrite_if_worth_it()
        with replacing(self.path(table), self._access) as file:
            file.writelines(self._content(table, tables))
            size = file.tell()
        table.published(size, self._form(table))

    def _content(self, table: Table, tables: dict[str, Table]) -> Iterator[bytes | memoryview]:
        yield self._spelling.header(column_names(table.stream))
        yield from self._body(table, tables)

    def _body(self, table: Table, tables: dict[str, Table]) -> Iterator[bytes | memoryview]:
        if self._spelling.is_canonical:
            yield from table.live()
            return
        from zimun_connectors.csv.respelling import lines, payload, zones_for

        zones = zones_for(self._spelling, tables)
        for batch in table.rows():
            yield payload(lines(batch, table.stream.columns, self._spelling, zones))
