"""What a connector gives the kit: fresh sinks on one storage, and a reader beside them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zimun_sync.model import LINEAGE, ColumnType, Op, Stream
from zimun_sync.sinks import Batch, Change, Sink

#: What a reader finds in one stream: a record's columns by name, under (source, key).
Content = dict[tuple[str, str], Mapping[str, Any]]


class SinkHarness(Protocol):
    """One storage. Made twice for the same folder it reaches the same storage."""

    def make(self) -> Sink:
        """A fresh sink on the storage; it shares nothing in memory with earlier ones."""
        ...

    def rows(self, stream: Stream, /) -> Content:
        """What the storage holds for that stream, read as a user would, not by the sink.

        Values are Python's: aware datetimes for instants, naive ones for wall clocks,
        `Decimal`, `date`, `bool`, `int`, and text (JSON columns: JSON text).
        Deleted records are absent. Called while a sink is open, and after it closed.
        """
        ...


@runtime_checkable
class Unusable(Protocol):
    """A harness that can also make a sink whose storage cannot be used at all."""

    def unusable(self) -> Sink:
        """A sink on an unwritable path, an unreachable server, or the like."""
        ...


@runtime_checkable
class Residues(Protocol):
    """A harness that can search every byte its storage keeps; due where a sink `Forgets`."""

    def residue(self, text: str, /) -> Iterable[str]:
        """Where the text is still found: files, also unpublished ones, logs, freed pages."""
        ...


def files_with(folder: Path, text: str) -> list[str]:
    """Names of the files under the folder, at any depth, whose bytes have the text (UTF-8)."""
    wanted = text.encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and wanted in path.read_bytes()
    ]


class Expected:
    """The content a sink must end with: the greatest sequence of each record wins."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str, str], Change] = {}

    def take(self, batch: Batch) -> None:
        """Add a batch that the sink accepted; older changes than those known are ignored."""
        for change in batch.changes:
            place = (batch.stream.name, batch.source, change.key)
            known = self._latest.get(place)
            if known is None or change.seq >= known.seq:
                self._latest[place] = change

    def reshape(self, stream: Stream) -> None:
        """Expect this stream's promoted columns, and no others; they are NULL in what is there."""
        names = [column.name for column in (*stream.content, *LINEAGE)]
        for place, change in self._latest.items():
            if place[0] == stream.name and change.row is not None:
                promoted: dict[str, Any] = dict.fromkeys(each.name for each in stream.promoted)
                row = {name: change.row[name] for name in names} | promoted
                self._latest[place] = replace(change, row=row)

    def adopt(self) -> None:
        """Keep the content, but take any change from now on for a later one."""
        self._latest = {place: replace(change, seq=0) for place, change in self._latest.items()}

    def live(self, stream: Stream) -> dict[tuple[str, str], Change]:
        """The stream's records that are not deleted, under (source, key)."""
        return {
            (source, key): change
            for (name, source, key), change in self._latest.items()
            if name == stream.name and change.op is Op.UPSERT
        }


def comparable(value: Any, kind: ColumnType) -> Any:
    """The value in a form where equal meaning is equality: JSON by content, not by spelling."""
    if value is None or kind is not ColumnType.JSON:
        return value
    return json.loads(value, parse_float=Decimal)
