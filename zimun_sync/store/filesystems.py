"""What kind of filesystem a file lies on: SQLite's log needs memory shared by all who use it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from zimun_sync.errors import StoreError

#: Where Linux lists what is mounted, and where other systems have nothing.
MOUNTS: Final = Path("/proc/self/mountinfo")

#: Filesystems that other machines may write too; locks and shared memory end at each machine.
NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "coda", "ncpfs", "davfs"}
    | {"ceph", "glusterfs", "lustre", "gpfs", "beegfs", "moosefs", "mfs", "orangefs", "pvfs2"}
    | {"sshfs", "s3fs", "gcsfuse", "rclone", "goofys", "juicefs", "cephfs", "blobfuse2"}
)

_ESCAPED = re.compile(r"\\([0-7]{3})")
_MOUNT_POINT = 4  # field of a line, before those whose number varies


def read_mounts() -> str:
    """The list of mounts; empty on a system without one."""
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""


def refuse_network_disk(path: Path, mounts: Callable[[], str] = read_mounts) -> None:
    """Refuse a SQLite state that would lie on a network filesystem.

    Args:
        path: absolute, links followed; need not exist.
        mounts: gives the text of /proc/self/mountinfo.

    Raises:
        StoreError: it would; nothing was made there.
    """
    kind = filesystem_of(path, mounts())
    if kind.removeprefix("fuse.") in NETWORK:
        raise StoreError(
            f"The state {path} lies on a network filesystem ({kind}), where SQLite's locks and "
            "shared memory do not work.",
            hint="Put the state on a local disk, or use PostgreSQL (docs/operations.md).",
        )


def filesystem_of(path: Path, mounts: str) -> str:
    """The kind of the filesystem that holds a path; empty where that is not known."""
    kind, longest = "", -1
    for point, found in _mounted(mounts):
        depth = len(point.parts)
        # Of two on the same point the later one hides the earlier.
        if depth >= longest and path.is_relative_to(point):
            kind, longest = found, depth
    return kind


def _mounted(mounts: str) -> Iterator[tuple[Path, str]]:
    """Mount points with their filesystems, in order of mounting."""
    for line in mounts.splitlines():
        mounted, separator, source = line.partition(" - ")
        fields = mounted.split(" ")
        if separator and len(fields) > _MOUNT_POINT:
            yield Path(_unescaped(fields[_MOUNT_POINT])), source.partition(" ")[0]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
