"""The law of publishing: whichever two files a reader opens in time, it sees one instant.

A reader opens the snapshot and, less than `GRACE` later, the delta. The law is tried on every
such pair of a random history: copies of the two files are put where the real views look.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from zimun_connectors.duckdb import files, publish
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

Content = dict[str, str]
CONTENT = "SELECT appointment_id, notes FROM appointments"


@dataclass(frozen=True)
class Step:
    """Some seconds pass, some records change (None: deleted), then perhaps a new process."""

    seconds: int
    changes: dict[int, int | None]
    more: bool
    then: str


STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([0, 1, 4, 6, 10, 25]),
        changes=st.dictionaries(st.integers(0, 6), st.none() | st.integers(0, 9), max_size=5),
        more=st.booleans(),
        then=st.sampled_from(["go on", "go on", "go on", "close and open", "crash and open"]),
    ),
    min_size=1,
    max_size=9,
)


@dataclass(frozen=True)
class Published:
    """The two files in place after one of them was replaced.

    Args:
        at: when it was replaced.
        oldest: number of writes that readers saw before this publish began.
        newest: number of writes made so far, which readers may see from now on.
    """

    at: datetime
    oldest: int
    newest: int
    snapshot: Path
    delta: Path


@dataclass
class History:
    """Writes to a sink, and keeps a copy of everything it ever published."""

    bench: "Bench"
    mount: Path
    contents: list[Content] = field(default_factory=lambda: [{}])
    published: list[Published] = field(default_factory=list)
    seen: int = 0
    seq: int = 0

    def follow(self, steps: list[Step]) -> None:
        sink = self.bench.opened(reader_root=self.mount)
        for step in steps:
            self.bench.clock.advance(timedelta(seconds=step.seconds))
            if step.changes:
                sink.write(self._batch(step))
                self.seen = self.published[-1].newest
            match step.then:
                case "close and open":
                    sink.close()
                    sink.open(self.bench.context())
                case "crash and open":
                    sink._release()
                    sink.open(self.bench.context())
            self.seen = self.published[-1].newest
        sink.close()

    def _batch(self, step: Step) -> Any:
        content, changes = dict(self.contents[-1]), []
        for key, note in step.changes.items():
            self.seq += 1
            if note is None:
                changes.append(delete(self.seq, f"a_{key}"))
                content.pop(f"a_{key}", None)
            else:
                changes.append(upsert(self.seq, f"a_{key}", notes=str(note)))
                content[f"a_{key}"] = str(note)
        self.contents.append(content)
        return make_batch(*changes, more=step.more)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        replacing = files.replacing

        @contextmanager
        def spy(path: Path, *rest: Any) -> Iterator[Path]:
            with replacing(path, *rest) as new:
                yield new
            self._keep()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "replacing", spy)
            patch.setattr(publish, "DELTA_ROWS", 2)
            yield

    def _keep(self) -> None:
        now = [self.bench.data / "snapshot.duckdb", self.bench.data / "delta.duckdb"]
        if not all(path.exists() for path in now):
            return
        kept = [self.bench.folder / f"{path.stem}-{len(self.published)}" for path in now]
        for path, copy in zip(now, kept, strict=True):
            os.link(path, copy)
        newest = len(self.contents) - 1
        self.published.append(Published(self.bench.clock(), self.seen, newest, *kept))

    def pairs(self) -> Iterator[tuple[Published, Published]]:
        """What a reader may have opened: first the one's snapshot, then the other's delta."""
        for index, first in enumerate(self.published):
            yield first, first
            replaced = self.published[index + 1 : index + 2]
            for later in self.published[index + 1 :]:
                if later.at - replaced[0].at < publish.GRACE:
                    yield first, later

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(self.bench.views, read_only=True) as connection:
            yield connection

    def read(
        self, reader: duckdb.DuckDBPyConnection, first: Published, later: Published
    ) -> Content:
        data = self.mount / "zimun.data"
        data.mkdir(parents=True, exist_ok=True)
        for name, path in (("snapshot", first.snapshot), ("delta", later.delta)):
            target = data / f"{name}.duckdb"
            target.unlink(missing_ok=True)
            target.symlink_to(path)
        rows = reader.execute(CONTENT).fetchall()
        assert len(rows) == len(dict(rows)), "a record appears twice"
        return dict(rows)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_two_files_a_reader_can_hold_tell_the_truth(bench: "Bench", steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        history = History(type(bench)(Path(folder)), Path(folder, "mount"))
        with history.recorded():
            history.follow(steps)
        with history.reader() as reader:
            for first, later in history.pairs():
                event("straddles a publish" if first is not later else "one publish")
                possible = history.contents[first.oldest : later.newest + 1]
                assert history.read(reader, first, later) in possible
            last = history.published[-1]
            assert history.read(reader, last, last) == history.contents[-1]
