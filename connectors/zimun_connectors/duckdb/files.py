"""The sink's files: where they lie, and how the published ones are replaced.

Each published file is a copy of a private one, made after exactly one checkpoint. DuckDB 2.0
opens a file twice and takes the header from the first time, so a reader caught by the rename
pairs the former header with the new blocks. That is the former version, whole: a checkpoint
leaves alone what the header before it refers to. Only the end of the file, which it may cut
off, has to be kept.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import sync
from zimun_connectors.duckdb.config import DuckdbSettings
from zimun_sync.children import environment
from zimun_sync.errors import SinkUnavailable

_OWNER_ONLY = 0o700

#: More than a filesystem would keep inside a directory entry, where nothing can be shared.
_PROBE_SIZE = 65_536

#: Linux's request to share a file's blocks with another.
_FICLONE = 0x40049409

#: DuckDB's main header and its two database headers.
_HEADER_SIZE = 3 * 4096


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
        """Everything up to some write; a copy of `state`."""
        return self.data / "snapshot.duckdb"

    @property
    def delta(self) -> Path:
        """What changed since; a copy of `private_delta`."""
        return self.data / "delta.duckdb"

    @property
    def private(self) -> Path:
        """The owner's folder, with whatever DuckDB puts next to a database."""
        return self.data / "private"

    @property
    def state(self) -> Path:
        """The private database."""
        return self.private / "state.duckdb"

    @property
    def private_delta(self) -> Path:
        """The delta in the making."""
        return self.private / "delta.duckdb"

    @property
    def freshness(self) -> Path:
        """How fresh the data is; a copy of `private_freshness`."""
        return self.data / "freshness.duckdb"

    @property
    def private_freshness(self) -> Path:
        """The same in the making."""
        return self.private / "freshness.duckdb"

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


def prepare(layout: Layout, access: PublishSettings) -> None:
    """Create the sink's folders; idempotent."""
    layout.data.mkdir(parents=True, exist_ok=True)
    access.grant(layout.data)
    layout.private.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    layout.private.chmod(_OWNER_ONLY)


def mend(layout: Layout, access: PublishSettings) -> None:
    """Finish a publication that was cut short; to be called while no database is open.

    Without it the next copy would be two checkpoints ahead of the published file.
    """
    for path in layout.private.glob("*.new*"):
        path.unlink()
    _remove_half_made(layout)
    _fold_log(layout.private_delta)
    _fold_log(layout.private_freshness)
    pairs = (
        (layout.private_delta, layout.delta),
        (layout.state, layout.snapshot),
        (layout.private_freshness, layout.freshness),
    )
    for private, published in pairs:
        if private.exists() and published.exists() and _header(private) != _header(published):
            publish(private, published, layout, access)


def _remove_half_made(layout: Layout) -> None:
    """Remove files of which a kill cut the first making short; they are made anew.

    What was never published is worth nothing, but for a private database that can be read: its
    published file may have been lost.
    """
    if not layout.delta.exists():
        _remove(layout.private_delta)
    if not layout.freshness.exists():
        _remove(layout.private_freshness)
    published = (layout.snapshot, layout.delta, layout.freshness, layout.views)
    if layout.state.exists() and not any(path.exists() for path in published):
        try:
            duckdb.connect(layout.state, read_only=True).close()
        except duckdb.IOException:
            _remove(layout.state)


def _remove(database: Path) -> None:
    for path in (database, Path(f"{database}.wal")):
        path.unlink(missing_ok=True)


def _fold_log(database: Path) -> None:
    """Make the checkpoint that a kill came before: only then the header tells of the change.

    A kill within a checkpoint leaves a log even of a file that is written without one.
    """
    if Path(f"{database}.wal").exists():
        with duckdb.connect(database) as connection:
            connection.execute("CHECKPOINT")


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER_SIZE)


def publish(
    private: Path,
    published: Path,
    layout: Layout,
    access: PublishSettings,
    *,
    detached: bool = False,
    kept: int | None = None,
) -> None:
    """Let readers see a private file as it is after its latest checkpoint.

    Args:
        private: the file.
        published: what it replaces.
        layout: where the files lie.
        access: who may read it.
        detached: whether this process has the private file closed; see `copy`.
        kept: up to which of its bytes the former file's end stays: those that the private file
            had when the former one was copied from it, for no header refers to any beyond;
            None keeps all. 0 is for a file with a single checkpoint. With the former header,
            what a reader finds in that is either its one root, and so the present version, or
            no root at all: an error, never a wrong answer.
    """
    with replacing(published, layout, access) as new:
        copy(private, new, detached=detached)
        if published.exists() and kept != 0:
            _keep_end(new, published, kept)


def _keep_end(new: Path, former: Path, size: int | None) -> None:
    """Append what the former file has beyond the new one's end, up to that size or all."""
    with former.open("rb") as source, new.open("ab") as target:
        own_size = target.tell()
        source.seek(own_size)
        shutil.copyfileobj(source, target)
        if size is not None:
            target.truncate(max(size, own_size))


@contextmanager
def remaking(database: Path) -> Iterator[Path]:
    """A new file that takes a private database's place when the block ends well, durably.

    Yields a path that does not exist yet; a kill leaves it to `mend`. The log of the former
    file goes first, for it must never be read into the new one.
    """
    new = database.with_name(f"{database.name}.{os.getpid()}.new")
    for leftover in (new, Path(f"{new}.wal")):
        leftover.unlink(missing_ok=True)
    yield new
    sync(new)
    Path(f"{database}.wal").unlink(missing_ok=True)
    new.replace(database)
    sync(database.parent)


@contextmanager
def replacing(path: Path, layout: Layout, access: PublishSettings) -> Iterator[Path]:
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


def fingerprint(path: Path) -> str | None:
    """Tells one published file from the next; None when it is missing. Reads no content."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def copy(source: Path, target: Path, *, detached: bool = False) -> None:
    """Copy a file in a child process, sharing its blocks where the filesystem can.

    A child, because closing any descriptor of the private database in this process would drop
    DuckDB's lock on it (POSIX locks belong to process and file). A small file that is `detached`
    from DuckDB is copied in this process, which costs far less.

    Raises:
        OSError: a detached file cannot be copied.
        SinkUnavailable: the copy failed.
    """
    if detached:
        shutil.copyfile(source, target)
        return
    sharing = ["--reflink=auto"] if sys.platform == "linux" else []
    command = ["cp", *sharing, str(source), str(target)]
    done = subprocess.run(  # noqa: S603 - no shell
        command, capture_output=True, text=True, check=False, env=environment()
    )
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
        with probe.open("rb") as source, twin.open("wb") as target:
            return _shared(source.fileno(), target.fileno())
    finally:
        probe.unlink(missing_ok=True)
        twin.unlink(missing_ok=True)


def _shared(source: int, target: int) -> bool:
    """Whether a file could be given another's blocks; a child process for `cp` costs far more."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True
