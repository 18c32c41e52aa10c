"""The sink's files: where they lie, who may read them, and how one is replaced."""

import grp
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zimun_connectors.duckdb.config import DuckdbSettings
from zimun_sync.errors import SinkBroken, SinkUnavailable

_OWNER_ONLY_FILE, _OWNER_ONLY_FOLDER = 0o600, 0o700
_READ_BITS = 0o444
_PROBE_SIZE = 65_536


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one sink.

    Args:
        views: the file analysts open.
        data: the folder with the published data, next to `views`.
        reader_data: `data` as readers see it.
    """

    views: Path
    data: Path
    reader_data: Path

    @property
    def snapshot(self) -> Path:
        """A full database, replaced as a whole."""
        return self.data / "snapshot.duckdb"

    @property
    def delta(self) -> Path:
        """What changed since the snapshot."""
        return self.data / "delta.duckdb"

    @property
    def private(self) -> Path:
        """The owner's folder: the private database and whatever DuckDB puts next to it."""
        return self.data / "private"

    @property
    def state(self) -> Path:
        """The private database."""
        return self.private / "state.duckdb"

    @property
    def lock(self) -> Path:
        """Locked by the process that writes; holds its id."""
        return self.data / ".lock"

    @classmethod
    def of(cls, settings: DuckdbSettings, folder: Path) -> "Layout":
        """The layout for settings whose relative path belongs to `folder`."""
        views = (folder / settings.path).absolute()
        name = f"{views.stem}.data"
        root = settings.reader_root or views.parent
        return cls(views, views.with_name(name), root / name)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read what is published.

    Args:
        mode: permission bits of published files.
        group: group that owns them, or None to leave it.
    """

    mode: int
    group: str | None

    def grant(self, path: Path) -> None:
        """Give a published file or folder its permissions and group."""
        group = self.resolve()
        if group is not None:
            os.chown(path, -1, group)
        search = (self.mode & _READ_BITS) >> 2
        path.chmod(self.mode | search | _OWNER_ONLY_FOLDER if path.is_dir() else self.mode)

    def resolve(self) -> int | None:
        """The group's number, or None to leave it.

        Raises:
            SinkBroken: this machine has no such group.
        """
        if self.group is None:
            return None
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise SinkBroken(
                f"There is no group {self.group!r} on this machine (publish.group).",
                hint="Create it, or correct `publish: {group: …}` in the sink's settings.",
            ) from None


def prepare(layout: Layout, access: Access) -> None:
    """Create the sink's folders; idempotent."""
    layout.data.mkdir(parents=True, exist_ok=True)
    access.grant(layout.data)
    layout.private.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
    layout.private.chmod(_OWNER_ONLY_FOLDER)


def clear_leftovers(layout: Layout) -> None:
    """Remove what an interrupted process had not published yet."""
    for path in layout.private.glob("*.new*"):
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, layout: Layout, access: Access) -> Iterator[Path]:
    """A new file that takes `path`'s place when the block ends well, durably.

    Yields a path that does not exist yet. Readers see the old file or the new one, whole.
    """
    new = layout.private / f"{path.name}.{os.getpid()}.new"
    try:
        yield new
        access.grant(new)
        sync(new)
        new.replace(path)
        sync(path.parent)
    finally:
        for leftover in (new, Path(f"{new}.wal")):
            leftover.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fingerprint(path: Path) -> str | None:
    """Tells one published file from the next; None when it is missing. Reads no content."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def copy(source: Path, target: Path, *, only_shared: bool = False) -> None:
    """Copy a file in a child process, sharing its blocks where the filesystem can.

    A child, because closing any descriptor of the private database in this process would drop
    DuckDB's lock on it (POSIX locks belong to process and file).

    Raises:
        SinkUnavailable: the copy failed, or cannot share blocks though `only_shared`.
    """
    sharing = [f"--reflink={'always' if only_shared else 'auto'}"]
    command = ["cp", *(sharing if sys.platform == "linux" else []), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        raise SinkUnavailable(
            f"Could not copy {source} to {target}: {done.stderr.strip()}",
            hint="Check the disk's free space and its health.",
        )


def shares_blocks(layout: Layout) -> bool:
    """Whether a copy of any size costs next to nothing there (reflinks, as on Btrfs and XFS)."""
    if sys.platform != "linux":
        return False
    probe, twin = layout.private / "probe.new", layout.private / "twin.new"
    try:
        probe.write_bytes(bytes(_PROBE_SIZE))
        copy(probe, twin, only_shared=True)
    except SinkUnavailable:
        return False
    finally:
        probe.unlink(missing_ok=True)
        twin.unlink(missing_ok=True)
    return True
