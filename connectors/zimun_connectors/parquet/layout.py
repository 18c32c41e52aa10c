"""Where a sink's files lie, and how they are called."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from zimun_sync.model import ColumnType, Stream, to_python

#: The column whose month an appointment's row belongs to.
DAY = "local_date"

#: The month of rows without a day. Hive's marker for NULL would stop pandas from reading.
UNDATED = "0000-00"

#: The part of a stream that has no months.
WHOLE = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one sink.

    Args:
        root: the folder of the configuration.
    """

    root: Path

    @property
    def current(self) -> Path:
        """A symbolic link to the version that readers should begin with."""
        return self.root / "current"

    @property
    def freshness(self) -> Path:
        """The file that tells how fresh the latest version is."""
        return self.root / "freshness.parquet"

    @property
    def versions(self) -> Path:
        """The folder of whole versions."""
        return self.root / "versions"

    @property
    def private(self) -> Path:
        """The owner's folder."""
        return self.root / ".zimun"

    @property
    def state(self) -> Path:
        """The sink's own database."""
        return self.private / "state.sqlite"

    @property
    def lock(self) -> Path:
        """Locked by the process that writes; holds its id."""
        return self.private / "lock"

    @property
    def draft(self) -> Path:
        """The version in the making."""
        return self.private / "next"

    def version(self, number: int) -> Path:
        """The folder of a version."""
        return self.versions / version_name(number)


def version_name(number: int) -> str:
    """What a version is called; names sort as numbers do."""
    return f"{number:06}"


def is_dated(stream: Stream) -> bool:
    """Whether the stream's rows have a day, and so a month."""
    return any(c.name == DAY and c.type is ColumnType.DATE for c in stream.content)


@lru_cache(maxsize=4096)
def month(day: int | None) -> str:
    """The month of a stored date, such as `2026-11`."""
    if day is None:
        return UNDATED
    return str(to_python(day, ColumnType.DATE).isoformat()[:7])


def file_name(stream: str, part: str, number: int) -> str:
    """Path within a version of a file that version `number` brought.

    The number makes a name mean one content for ever: a reader that finds its version replaced
    half-way misses a file rather than reading another one.
    """
    folder = f"{stream}/month={part}" if part != WHOLE else stream
    return f"{folder}/{version_name(number)}.parquet"
