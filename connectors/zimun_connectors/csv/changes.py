"""Files to which every change is appended, one a day and stream."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import sync
from zimun_connectors.csv import canonical, log
from zimun_connectors.csv.format import OPERATION, Format, column_forms
from zimun_connectors.csv.scrubbing import Target, scrubbed
from zimun_connectors.csv.table import News, Table
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Stream


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """A file of changes.

    Args:
        name: its name.
        size: bytes that count; what follows was never acknowledged.
    """

    name: str
    size: int


class ChangeFiles:
    """The folder of changes.

    Args:
        db: the state's database.
        folder: where the files lie.
        spelling: how they are spelled.
        access: who may read them.
        keep_days: days after which a file is removed, or None.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        folder: Path,
        spelling: Format,
        access: PublishSettings,
        keep_days: int | None,
    ) -> None:
        self._db = db
        self._folder = folder
        self._spelling = spelling
        self._access = access
        self._keep_days = keep_days

    def mend(self, today: date) -> None:
        """Cut every file back to what was acknowledged, and remove those that are too old.

        Raises:
            SinkBroken: someone else shortened a file.
        """
        self._folder.mkdir(exist_ok=True)
        self._access.grant(self._folder)
        self._remove_old(today)
        for file in self._recorded():
            self._finish(file)
            self._cut_back(file)

    def _recorded(self) -> list[ChangeFile]:
        found = self._db.execute("SELECT name, size FROM change_file").fetchall()
        return [ChangeFile(*each) for each in found]

    def _cut_back(self, file: ChangeFile) -> None:
        path = self._folder / file.name
        if not path.exists():
            self._forget(file.name)
            return
        found = path.stat().st_size
        if found < file.size:
            raise SinkBroken(
                f"{path} has {found} bytes, but {file.size} were written to it.",
                hint="Move that file away: a new one is begun.",
            )
        if found > file.size:
            log.append(path, file.size, [])

    def _remove_old(self, today: date) -> None:
        if self._keep_days is None:
            return
        oldest = (today - timedelta(days=self._keep_days)).isoformat()
        select = "SELECT name FROM change_file WHERE day < ?"
        for (name,) in self._db.execute(select, (oldest,)).fetchall():
            (self._folder / name).unlink(missing_ok=True)
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._db.execute("DELETE FROM change_file WHERE name = ?", (name,))

    def append(
        self, stream: Stream, news: News, day: date, tables: Mapping[str, Table]
    ) -> ChangeFile:
        """Add the changes to the day's file, durably; only `record` makes them count."""
        file = self._file_of(stream, day)
        path = self._folder / file.name
        size = log.append(path, file.size, self._parts(stream, news, tables, is_new=not file.size))
        if not file.size:
            self._access.grant(path)
        return ChangeFile(file.name, size)

    def _parts(
        self, stream: Stream, news: News, tables: Mapping[str, Table], *, is_new: bool
    ) -> Iterator[bytes | memoryview]:
        columns = (OPERATION, *stream.columns)
        if is_new:
            yield self._spelling.header([column.name for column in columns])
        parts = canonical.lines_of_changes(stream, news.source, news.changes)
        if self._spelling.is_canonical:
            yield from map(b"".join, parts)
            return
        from zimun_connectors.csv.respelling import respelled, zones_for

        zones = zones_for(self._spelling, tables)
        for lines in parts:
            yield from respelled(lines, columns, self._spelling, zones)

    def record(self, file: ChangeFile) -> None:
        """Make appended changes count, within the caller's transaction."""
        self._db.execute("UPDATE change_file SET size = ? WHERE name = ?", (file.size, file.name))

    # -- forgetting ----------------------------------------------------------------------

    def forget(self, target: Target) -> None:
        """Blank the personal cells of these records; a file gets shorter by what they held."""
        days = self._db.execute("SELECT name, day FROM change_file").fetchall()
        begins = {name: f"{target.stream.name}-{day}" for name, day in days}
        for file in self._recorded():
            self._finish(file)
            if file.name.startswith(begins[file.name]) and (self._folder / file.name).exists():
                self._scrub(file, target)

    def _scrub(self, file: ChangeFile, target: Target) -> None:
        draft = self._draft(file)
        size = log.append(draft, 0, scrubbed(self._folder / file.name, target))
        if size == file.size:  # there was nothing to blank
            draft.unlink()
            return
        self._access.grant(draft)
        shorter = ChangeFile(file.name, size)
        self.record(shorter)
        self._finish(shorter)

    def _finish(self, file: ChangeFile) -> None:
        """Put a draft in place if it was recorded; as long as it is not, it is worth nothing.

        A draft is shorter than its file, so its size tells which of the two was recorded.
        """
        draft = self._draft(file)
        if not draft.exists():
            return
        if draft.stat().st_size == file.size:
            draft.replace(self._folder / file.name)
            sync(self._folder)
        else:
            draft.unlink()

    def _draft(self, file: ChangeFile) -> Path:
        return self._folder / f".{file.name}.new"

    def _file_of(self, stream: Stream, day: date) -> ChangeFile:
        """The file to append to: another one after the spelling or the columns changed."""
        form = repr((self._spelling, column_forms(stream)))
        number = 1
        while True:
            suffix = f"-{number}" if number > 1 else ""
            name = f"{stream.name}-{day.isoformat()}{suffix}.csv"
            select = "SELECT form, size FROM change_file WHERE name = ?"
            found = self._db.execute(select, (name,)).fetchone()
            if found is None and not (self._folder / name).exists():
                return self._begin(name, day, form)
            if found is not None and found[0] == form:
                return ChangeFile(name, found[1])
            number += 1

    def _begin(self, name: str, day: date, form: str) -> ChangeFile:
        """Record a new file before it exists, so that whatever a crash leaves of it is cut off."""
        self._remove_old(day)
        self._db.execute(
            "INSERT INTO change_file VALUES (?, ?, ?, 0)", (name, day.isoformat(), form)
        )
        return ChangeFile(name, 0)
