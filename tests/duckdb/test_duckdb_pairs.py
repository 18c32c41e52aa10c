"""The laws of publishing, tried on everything that a random history ever published.

Whichever two files a reader opens in time, it sees one instant: it opens the snapshot and,
less than `GRACE` later, the delta. Copies of every such pair are put where the real views look.

Whichever versions of one file a reader mixes, it sees the former: DuckDB 2.0 opens a file
twice, and takes the header from the first time. Files that were made afresh to forget somebody
have other blocks: there it sees the later one, or gets an error.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.thorough import times
from zimun_connectors.duckdb import DuckdbSink, compaction, files, ledger, publish
from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Forgotten
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

Content = dict[str, str]
#: What DuckDB reads of a file when it opens it for the first time.
HEADER = 12_288

CONTENT = "SELECT appointment_id, notes FROM appointments"


@dataclass(frozen=True)
class Step:
    """Some seconds pass, some records change (None: deleted), then perhaps a new process.

    "fail" is a full disk between the checkpoint and the renaming of either file; in "forget and
    fail" it is full while everything is made afresh. "pull ends" has the sink tidy up, and in
    "tidy and fail" the disk is full meanwhile.
    """

    seconds: int
    changes: dict[int, int | None]
    more: bool
    then: str


FAILING = ("fail", "tidy and fail", "forget", "forget and fail")

STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([0, 1, 4, 6, 10, 25]),
        changes=st.dictionaries(st.integers(0, 6), st.none() | st.integers(0, 9), max_size=7),
        more=st.booleans(),
        then=st.sampled_from([*["go on"] * 3, *["pull ends"] * 2, "close", "crash", *FAILING]),
    ),
    min_size=1,
    max_size=9,
)


#: A delta was emptied to make way for a snapshot, which then failed; found by this very test.
EMPTIED_THEN_FAILED = [
    Step(0, {0: 0, 4: 0}, more=False, then="go on"),
    Step(0, {0: None, 1: 0, 2: 0}, more=False, then="go on"),
    Step(4, dict.fromkeys(range(5)), more=True, then="go on"),
    Step(6, {0: 0}, more=False, then="fail"),
]


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
    failing: bool = False
    forgetting: bool = False
    renewed: set[Path] = field(default_factory=set)

    def follow(self, steps: list[Step]) -> None:
        sink = self.bench.opened(reader_root=self.mount)
        sink.write(self._batch(Step(0, dict.fromkeys(range(100, 116), 0), more=False, then="")))
        self.bench.clock.advance(publish.GRACE)
        for step in steps:
            self.bench.clock.advance(timedelta(seconds=step.seconds))
            self.failing = step.then == "fail"
            with suppress(SinkUnavailable):
                if step.changes:
                    sink.write(self._batch(step))
                    self.seen = self.published[-1].newest
            self.failing = False
            if step.then.startswith("forget"):
                self._forget(sink, fail=step.then == "forget and fail")
            if step.then in {"pull ends", "tidy and fail"}:
                self._end_pull(sink, fail=step.then == "tidy and fail")
            if step.then == "close":
                sink.close()
            if step.then == "crash":
                sink._release()
            if step.then not in {"go on", "pull ends", "forget"}:
                sink.open(self.bench.context())
                self.seen = self.published[-1].newest
        sink.close()

    def _end_pull(self, sink: DuckdbSink, *, fail: bool) -> None:
        self.failing = fail
        with suppress(SinkUnavailable):
            sink.show_freshness(())
            self.seen = self.published[-1].newest
        self.failing = False

    def _forget(self, sink: DuckdbSink, *, fail: bool) -> None:
        self.forgetting, self.failing = True, fail
        with suppress(SinkUnavailable):
            assert sink.forget(Forgotten({("main", "appointments"): ["a_100"]})).complete
            assert not fail
            self.seen = self.published[-1].newest
        self.forgetting = self.failing = False

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
                if self.failing and path.stem != "freshness":
                    raise OSError(errno.ENOSPC, "No space left on device", str(path))
            if path.stem != "freshness":  # which shows no records
                self._keep()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "replacing", spy)
            patch.setattr(publish, "DELTA_ROWS", 2)
            patch.setattr(publish, "FOLDED_SIZE", 0)
            patch.setattr(publish, "FOLDED_SHARE", 0)
            patch.setattr(compaction, "DEAD_SHARE", 0)
            patch.setattr(ledger, "EXTENDED_ROWS", 2)
            yield

    def _keep(self) -> None:
        now = [self.bench.data / "snapshot.duckdb", self.bench.data / "delta.duckdb"]
        if not all(path.exists() for path in now):
            return  # the very first one of the two
        kept = [self.bench.folder / f"{path.stem}-{len(self.published)}" for path in now]
        for path, copy in zip(now, kept, strict=True):
            os.link(path, copy)
        if self.forgetting:
            self.renewed |= set(kept)
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

    def replaced(self) -> Iterator[tuple[Path, Path]]:
        """Each version of a file with the one that took its place."""
        for former, later in pairwise(self.published):
            for old, new in ((former.snapshot, later.snapshot), (former.delta, later.delta)):
                if not old.samefile(new):
                    yield old, new


def _read_file(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(path, read_only=True) as reader:
        return reader.execute("FROM appointments ORDER BY ALL").fetchall()


@settings(max_examples=times(10, 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@example(steps=EMPTIED_THEN_FAILED)
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


@settings(max_examples=times(5, 50), deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_a_reader_caught_by_the_renaming_sees_the_former_file(
    bench: "Bench", steps: list[Step]
) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        history = History(type(bench)(Path(folder)), Path(folder, "mount"))
        with history.recorded():
            history.follow(steps)
        mixed = Path(folder, "mixed.duckdb")
        for old, new in history.replaced():
            mixed.write_bytes(old.read_bytes()[:HEADER] + new.read_bytes()[HEADER:])
            renewed = new in history.renewed
            allowed = [_read_file(old), *([_read_file(new)] if renewed else [])]
            with suppress(duckdb.Error) if renewed else nullcontext():
                assert _read_file(mixed) in allowed
