"""Versions on the disk: drafted in private, put in place whole, switched by one rename.

A version is a folder with a file for each part of each stream. Files that did not change are
the same file under one more name (hard links), so a version costs what it brings.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import sync
from zimun_connectors.parquet.files import RESTORE_HINT
from zimun_connectors.parquet.layout import Layout, version_name
from zimun_sync.errors import SinkBroken
from zimun_sync.model import to_micros

MANIFEST = "_manifest.json"


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file of a version.

    Args:
        stream: number of the stream in the state.
        part: of the stream.
        name: path within the version.
        rows: how many it has.
        size: bytes.
    """

    stream: int
    part: str
    name: str
    rows: int
    size: int


class Draft:
    """A version in the making, which nobody sees.

    Args:
        layout: where it lies.
        access: who may read it once it is in place.
    """

    def __init__(self, layout: Layout, access: PublishSettings) -> None:
        self._layout = layout
        self._access = access
        if layout.draft.exists():
            shutil.rmtree(layout.draft)
        layout.draft.mkdir()

    def path(self, name: str) -> Path:
        """Where a file of that name belongs; its folder is there on return."""
        path = self._layout.draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, former: Path, file: File) -> None:
        """Take a file over from the former version as it is."""
        self.path(file.name).hardlink_to(former / file.name)

    def describe(self, number: int, now: datetime, files: dict[str, list[File]]) -> None:
        """Write the manifest, by which readers and people find what the version holds."""
        streams = {
            name: {"rows": sum(f.rows for f in found), "files": [f.name for f in found]}
            for name, found in files.items()
        }
        manifest = {
            "version": number,
            "path": f"{self._layout.versions.name}/{version_name(number)}",
            "published_at": now.isoformat(),
            "streams": streams,
        }
        path = self._layout.draft / MANIFEST
        path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        self._access.grant(path)
        sync(path)

    def place(self, number: int) -> None:
        """Move the draft to where versions lie, durably; it counts once it is recorded."""
        for folder in _folders(self._layout.draft):
            self._access.grant(folder)
            sync(folder)
        target = self._layout.version(number)
        if target.exists():
            shutil.rmtree(target)
        self._layout.draft.rename(target)
        sync(self._layout.versions)


class Versions:
    """The versions there are.

    Args:
        db: the state's database.
        layout: where they lie.
        access: who may read them.
    """

    def __init__(self, db: sqlite3.Connection, layout: Layout, access: PublishSettings) -> None:
        self._db = db
        self._layout = layout
        self._access = access

    @property
    def latest(self) -> int:
        """Number of the latest version; 0 before the first."""
        (number,) = self._db.execute("SELECT max(number) FROM version").fetchone()
        return number or 0

    def files(self) -> list[File]:
        """The files of the latest version."""
        select = "SELECT stream, part, name, rows, size FROM file ORDER BY stream, part"
        return [File(*found) for found in self._db.execute(select)]

    def record(self, number: int, now: datetime, files: list[File]) -> None:
        """Make a placed version the latest, within the caller's transaction."""
        update = "UPDATE version SET replaced_at = ? WHERE replaced_at IS NULL"
        self._db.execute(update, (to_micros(now),))
        self._db.execute("INSERT INTO version VALUES (?, NULL)", (number,))
        self._db.execute("DELETE FROM file")
        self._db.executemany(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?)",
            [(f.stream, f.part, f.name, f.rows, f.size) for f in files],
        )

    def switch(self) -> None:
        """Point `current` to the latest version, in one step."""
        target = self._layout.version(self.latest).relative_to(self._layout.root)
        link = self._layout.private / "current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        link.replace(self._layout.current)
        sync(self._layout.root)

    def retire(self, now: datetime, keep: int, keep_for: timedelta) -> None:
        """Remove replaced versions that are too old, or too many."""
        expired = self._db.execute(
            """
            DELETE FROM version WHERE replaced_at <= ? OR number IN (
                SELECT number FROM version WHERE replaced_at IS NOT NULL
                ORDER BY number DESC LIMIT -1 OFFSET ?
            ) RETURNING number
            """,
            (to_micros(now - keep_for), keep),
        ).fetchall()
        for (number,) in expired:
            shutil.rmtree(self._layout.version(number))

    def mend(self) -> None:
        """Remove what a crash left behind, and make `current` and all permissions right.

        Raises:
            SinkBroken: a file of the latest version is gone or another one.
        """
        known = {version_name(n) for (n,) in self._db.execute("SELECT number FROM version")}
        for folder in self._layout.versions.iterdir():
            if folder.name.isdigit() and folder.name not in known:
                shutil.rmtree(folder)
        for path in self._layout.versions.rglob("*"):
            self._access.grant(path)
        if self.latest:
            self._refuse_damage()
            self.switch()

    def _refuse_damage(self) -> None:
        folder = self._layout.version(self.latest)
        for file in self.files():
            path = folder / file.name
            found = path.stat().st_size if path.exists() else 0
            if found != file.size:
                raise SinkBroken(
                    f"{path} has {found} bytes, but {file.size} were written to it.",
                    hint=RESTORE_HINT,
                )


def _folders(top: Path) -> Iterator[Path]:
    """The folder and all below it, the deepest first."""
    for path in top.iterdir():
        if path.is_dir():
            yield from _folders(path)
    yield top
