"""An honest sink and ways to get it wrong; `test_kit` runs the contract over each.

Not collected by itself: every class but the first is there to fail.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from zimun_sync.model import STREAMS, ColumnType, Op, Stream
from zimun_sync.sinks import (
    Batch,
    Change,
    Erasure,
    Forgotten,
    Freshness,
    Shown,
    Sink,
    SinkBroken,
    SinkContext,
    WriteResult,
)
from zimun_sync.tables import arrow_schema
from zimun_sync.testing import SinkContract, SinkHarness, files_with

Places = dict[tuple[str, str, str], Change]


class HonestSink:
    """Keeps everything in one file, rewritten by each call; implements every ability."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[str | None, Places]:
        if not self.path.exists():
            return None, {}
        store_id, places = pickle.loads(self.path.read_bytes())
        return store_id, places

    def save(self, store_id: str | None, places: Places) -> None:
        draft = self.path.with_suffix(".draft")  # a kill must not leave half a file
        draft.write_bytes(pickle.dumps((store_id, places)))
        draft.replace(self.path)

    def open(self, context: SinkContext, /) -> None:
        if not self.path.parent.exists():
            raise SinkBroken("There is no such folder.", hint="Create it.")
        store_id, places = self.load()
        if not context.adopting:
            self.refuse(context, store_id, places)
            store_id = context.store_id
        self.save(store_id, places)

    def refuse(self, context: SinkContext, store_id: str | None, places: Places) -> None:
        ahead = any(
            change.seq > context.heads.get(source, 0) for (_, source, _), change in places.items()
        )
        if ahead or store_id not in (None, context.store_id):
            raise SinkBroken("That is another store's.", hint="zimun-sync adopt NAME")

    def write(self, batch: Batch, /) -> WriteResult:
        store_id, places = self.load()
        applied = sum(self.apply(places, batch, change) for change in batch.changes)
        self.save(store_id, places)
        return WriteResult(applied, len(batch) - applied)

    def place(self, batch: Batch, change: Change) -> tuple[str, str, str]:
        return batch.stream.name, batch.source, change.key

    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        known = places.get(self.place(batch, change))
        seq, digest = (known.seq, known.hash) if known else (0, "")
        if change.seq < seq or change.hash == digest:
            return False
        places[self.place(batch, change)] = change
        return True

    def close(self) -> None:
        pass

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        for (name, owner, key), change in self.load()[1].items():
            if (name, owner) == (stream.name, source) and change.op is Op.UPSERT:
                yield key, change.hash

    def read_rows(self, source: str, stream: Stream, /) -> Iterator[pa.Table]:
        rows = [
            {**change.row, "_hash": change.hash}
            for (name, owner, _), change in self.load()[1].items()
            if (name, owner) == (stream.name, source) and change.row is not None
        ]
        yield pa.Table.from_pylist(rows, arrow_schema(stream))

    def read_published(self, source: str, stream: Stream, /) -> Iterator[tuple[str, Shown, str]]:
        yield from ()  # readers see what it holds

    def publish_anew(self) -> None:
        self.save(*self.load())

    def adopt(self, context: SinkContext, /) -> None:
        _, places = self.load()
        anew = {
            place: Change(0, c.op, c.key, c.row, c.hash, c.observed_at)
            for place, c in places.items()
        }
        self.save(context.store_id, anew)

    def check(self, context: SinkContext, /) -> None:
        if not self.path.parent.exists():
            raise SinkBroken("There is no such folder.", hint="Create it.")

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        self.path.with_suffix(".freshness").write_bytes(pickle.dumps(rows))

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        known = {(source, name, key) for name, source, key in self.load()[1]}
        held = any(
            (source, name, key) in known
            for (source, name), keys in forgotten.keys.items()
            for key in keys
        )
        message = "There is one state, the latest." if held else "It held nothing."
        return Erasure(complete=True, message=message)


class Forgetful(HonestSink):
    def write(self, batch: Batch, /) -> WriteResult:
        return WriteResult(len(batch))


class Miscounting(HonestSink):
    def write(self, batch: Batch, /) -> WriteResult:
        return WriteResult(super().write(batch).applied)


class Boasting(HonestSink):
    def write(self, batch: Batch, /) -> WriteResult:
        super().write(batch)
        return WriteResult(len(batch))


class Undeleting(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        return change.op is Op.UPSERT and super().apply(places, batch, change)


class Backwards(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        places[self.place(batch, change)] = change
        return True


class Patching(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        before = places.get(self.place(batch, change))
        if not super().apply(places, batch, change):
            return False
        if before and before.row and change.row:
            given = {name: value for name, value in change.row.items() if value is not None}
            merged = {**before.row, **given}
            places[self.place(batch, change)] = Change(
                change.seq, change.op, change.key, merged, change.hash, change.observed_at
            )
        return True


class OneSourceOnly(HonestSink):
    def place(self, batch: Batch, change: Change) -> tuple[str, str, str]:
        return batch.stream.name, "main", change.key


class OneStreamOnly(HonestSink):
    def place(self, batch: Batch, change: Change) -> tuple[str, str, str]:
        return "appointments", batch.source, change.key


class Buffering(HonestSink):
    pending: Places

    def open(self, context: SinkContext, /) -> None:
        super().open(context)
        self.store_id, self.pending = HonestSink.load(self)

    def load(self) -> tuple[str | None, Places]:
        return (self.store_id, self.pending) if hasattr(self, "pending") else super().load()

    def save(self, store_id: str | None, places: Places) -> None:
        self.store_id, self.pending = store_id, places

    def close(self) -> None:
        if hasattr(self, "pending"):
            super().save(self.store_id, self.pending)


class Promiscuous(HonestSink):
    def refuse(self, context: SinkContext, store_id: str | None, places: Places) -> None:
        pass


class Untidy(HonestSink):
    def check(self, context: SinkContext, /) -> None:
        (self.path.parent / "probe").write_text("left behind")


class Amnesiac(HonestSink):
    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        yield from list(super().read_back(source, stream))[1:]


class Burying(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        known = places.get(self.place(batch, change))
        is_buried = known is not None and known.op is Op.DELETE and change.seq <= known.seq
        return not is_buried and super().apply(places, batch, change)


class Misreading(HonestSink):
    def read_rows(self, source: str, stream: Stream, /) -> Iterator[pa.Table]:
        for rows in super().read_rows(source, stream):
            yield rows.slice(1)


class Stale(HonestSink):
    def publish_anew(self) -> None:
        self.path.unlink()


class Muddling(HonestSink):
    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        self.path.unlink(missing_ok=True)


class Retentive(HonestSink):
    def save(self, store_id: str | None, places: Places) -> None:
        if self.path.exists():
            copies = len(list(self.path.parent.glob("*.old")))
            self.path.with_suffix(f".{copies}.old").write_bytes(self.path.read_bytes())
        super().save(store_id, places)


class Overzealous(HonestSink):
    def forget(self, forgotten: Forgotten, /) -> Erasure:
        store_id, places = self.load()
        gone = {(name, source, key) for (source, name), ks in forgotten.keys.items() for key in ks}
        self.save(store_id, {place: each for place, each in places.items() if place not in gone})
        return Erasure(complete=True, message="They are gone.")


class Settled(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        known = {column.name for column in STREAMS[batch.stream.name].columns}
        if change.row is not None:
            row = {name: value for name, value in change.row.items() if name in known}
            change = replace(change, row=row)
        return super().apply(places, batch, change)


class Stubborn(HonestSink):
    def apply(self, places: Places, batch: Batch, change: Change) -> bool:
        known = places.get(self.place(batch, change))
        is_known = known is not None and change.seq <= known.seq
        return not is_known and super().apply(places, batch, change)


class Terse(HonestSink):
    def open(self, context: SinkContext, /) -> None:
        if not self.path.parent.exists():
            raise SinkBroken("It does not work.")
        super().open(context)


class Crashing(HonestSink):
    def open(self, context: SinkContext, /) -> None:
        store_id, places = self.load()
        self.save(store_id, places)


class Harness:
    """Reads the file of the sinks above."""

    def __init__(self, folder: Path, kind: type[HonestSink]) -> None:
        self.folder, self.kind = folder, kind

    def make(self) -> Sink:
        return self.kind(self.folder / "content")

    def rows(self, stream: Stream, /) -> dict[tuple[str, str], Mapping[str, Any]]:
        _, places = HonestSink(self.folder / "content").load()
        return {
            (source, key): change.row
            for (name, source, key), change in places.items()
            if name == stream.name and change.row is not None
        }

    def residue(self, text: str) -> list[str]:
        return files_with(self.folder, text)

    def unusable(self) -> Sink:
        return self.kind(self.folder / "missing" / "content")


class Contract(SinkContract):
    kind: ClassVar[type[HonestSink]] = HonestSink

    def harness(self, folder: Path) -> SinkHarness:
        return Harness(folder, self.kind)


class TestHonest(Contract):
    pass


class TestForgetful(Contract):
    kind = Forgetful


class TestMiscounting(Contract):
    kind = Miscounting


class TestBoasting(Contract):
    kind = Boasting


class TestUndeleting(Contract):
    kind = Undeleting


class TestBackwards(Contract):
    kind = Backwards


class TestPatching(Contract):
    kind = Patching


class TestOneSourceOnly(Contract):
    kind = OneSourceOnly


class TestOneStreamOnly(Contract):
    kind = OneStreamOnly


class TestBuffering(Contract):
    kind = Buffering


class TestPromiscuous(Contract):
    kind = Promiscuous


class TestUntidy(Contract):
    kind = Untidy


class TestAmnesiac(Contract):
    kind = Amnesiac


class TestBurying(Contract):
    kind = Burying


class TestMisreading(Contract):
    kind = Misreading


class TestStale(Contract):
    kind = Stale


class TestMuddling(Contract):
    kind = Muddling


class TestRetentive(Contract):
    kind = Retentive


class TestOverzealous(Contract):
    kind = Overzealous


class TestSettled(Contract):
    kind = Settled


class TestStubborn(Contract):
    kind = Stubborn


class TestTerse(Contract):
    kind = Terse


class TestCrashing(Contract):
    kind = Crashing


class TestBlind(Contract):
    """A contract that compares nothing."""

    def seen(self, stream: Stream, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


class TestHalfBlind(Contract):
    """A contract in which no price is ever there to compare."""

    def seen(self, stream: Stream, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return _without_decimals(stream, row)

    def harness(self, folder: Path) -> SinkHarness:
        return _Priceless(folder, self.kind)


class _Priceless(Harness):
    def rows(self, stream: Stream, /) -> dict[tuple[str, str], Mapping[str, Any]]:
        found = super().rows(stream).items()
        return {place: _without_decimals(stream, row) for place, row in found}


def _without_decimals(stream: Stream, row: Mapping[str, Any]) -> Mapping[str, Any]:
    decimals = (each.name for each in stream.columns if each.type is ColumnType.DECIMAL)
    return {**row, **dict.fromkeys(decimals)}


class TestShirking(Contract):
    """A contract with a check taken out."""

    def test_deletes(self) -> None:  # type: ignore[override]
        pass


class TestEmpty(Contract):
    """A contract about no stream at all."""

    streams = tuple(STREAMS[name] for name in STREAMS if name == "nothing")
