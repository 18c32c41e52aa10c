"""Checks that nothing is left of people who asked to be forgotten, byte by byte."""

import subprocess
from pathlib import Path
from typing import ClassVar

from zimun_sync.model import ColumnType, Stream
from zimun_sync.sinks import Batch, Forgets, Forgotten, Sink, StoredChange
from zimun_sync.testing.base import check
from zimun_sync.testing.builders import make_batch, make_row, upsert
from zimun_sync.testing.crashes import CrashChecks, environment
from zimun_sync.testing.harness import Residues
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import plain_row

#: The record of the person, and what it held before and after an edit: eight bytes, and greater
#: than other texts, for that is what the statistics of some files keep.
_PERSON = "person"
_CANARIES = ("~QxZvWk7", "~zJqXw4Y")

#: Records of others, written before and after.
_OTHERS = 60


class ForgettingChecks(CrashChecks):
    """A person's record is written, edited, scrubbed and forgotten, among those of others."""

    #: Whether the sink reaches everything that its storage keeps. If not, it has to tell so.
    erases: ClassVar[bool] = True

    @check("Forgets")
    def test_forgetting_leaves_no_byte(self, rig: Rig) -> None:
        """Former values are nowhere any more; what readers see of others is as before."""
        self._live(rig)
        assert self._residue(rig) or not self.erases, (
            "the harness's `residue` does not find what is there"
        )
        sink = self._scrubbed(rig)
        for _ in range(2):
            self._forget(sink)
            rig.check()
            assert not self._residue(rig)
        rig.write(sink, self._others(3 * _OTHERS))
        sink.close()
        assert not self._residue(rig)
        sink = rig.open()
        assert rig.write(sink, self._others(3 * _OTHERS)).applied == 0
        rig.write(sink, self._others(4 * _OTHERS))
        rig.check()

    @check("Forgets")
    def test_forgetting_those_it_never_held(self, rig: Rig) -> None:
        """There is nothing to do, and nothing changes."""
        sink = rig.open()
        rig.write(sink, self._others(1))
        self._forget(sink, "nobody")
        assert isinstance(sink, Forgets)
        strange = Forgotten({("second", "no such stream"): ("nobody",)})
        assert sink.forget(strange).complete
        rig.check()

    @check("Forgets")
    def test_killed_while_forgetting(self, rig: Rig, tmp_path: Path) -> None:
        """The sink stays sound, and forgetting again completes it."""
        self._live(rig)
        self._scrubbed(rig).close()
        command = [*self._command(tmp_path), self._stream.name, _PERSON]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:  # noqa: S603 - as there
            assert process.stdout is not None
            assert process.stdout.readline() == b"forgetting\n"
            process.kill()
        sink = rig.open()
        rig.check()
        self._forget(sink)
        assert not self._residue(rig)
        rig.write(sink, self._others(3 * _OTHERS))
        rig.check()

    @property
    def _stream(self) -> Stream:
        """The one that tells most about people."""
        return max(self.streams, key=lambda stream: len(_personal(stream)))

    def _others(self, start: int, count: int = 5) -> Batch:
        rows = {
            seq: plain_row(self._stream, f"k_{seq}", seq) for seq in range(start, start + count)
        }
        changes = [upsert(seq, f"k_{seq}", row) for seq, row in rows.items()]
        return make_batch(*changes, stream=self._stream)

    def _live(self, rig: Rig) -> None:
        """Write the person's record and another state of it, so that old bytes are there."""
        for turn, canary in enumerate(_CANARIES):
            sink, start = rig.open(), turn * (_OTHERS + 1) + 1
            rig.write(sink, self._others(start, _OTHERS))
            change = self._person(start + _OTHERS, canary)
            rig.write(sink, make_batch(change, stream=self._stream))
            sink.close()

    def _scrubbed(self, rig: Rig) -> Sink:
        """An open sink that has taken the record without its personal values."""
        sink = rig.open()
        change = self._person(2 * (_OTHERS + 1) + 1, None)
        rig.write(sink, make_batch(change, stream=self._stream))
        return sink

    def _person(self, seq: int, canary: str | None) -> StoredChange:
        stream = self._stream
        row = make_row(stream, _PERSON, **dict.fromkeys(_personal(stream), canary))
        return upsert(seq, _PERSON, row)

    def _forget(self, sink: Sink, key: str = _PERSON) -> None:
        assert isinstance(sink, Forgets)
        erasure = sink.forget(Forgotten({("main", self._stream.name): (key,)}))
        assert erasure.complete is self.erases or key != _PERSON, erasure.message
        assert erasure.message, "a person has to be told what was done"

    def _residue(self, rig: Rig) -> list[str]:
        """Where something is left; nowhere is looked at where the sink does not reach."""
        if not self.erases:
            return []
        harness = rig.harness
        assert isinstance(harness, Residues), "a harness of a sink that forgets needs `residue`"
        return [place for canary in _CANARIES for place in harness.residue(canary)]


def _personal(stream: Stream) -> list[str]:
    """Names of the columns that hold text about a person."""
    return [c.name for c in stream.content if c.personal and c.type is ColumnType.TEXT]
