"""The sink contract: what a connector implements and what the engine promises it.

A connector only writes. Retry, backoff, skipping, rate limits and progress live in the
engine. See `docs/connectors/write-a-connector.md` and the kit in `zimun_sync.testing`.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

from pydantic import BaseModel

from zimun_sync.errors import ConfigError, SinkBroken, SinkError, SinkHeld, SinkUnavailable
from zimun_sync.freshness import Freshness
from zimun_sync.ids import Lookup, Memory
from zimun_sync.model import STREAMS, Op, Stream, from_micros, to_python
from zimun_sync.promoting import filled, hash_of_filled
from zimun_sync.stored import Head, StoredChange, all_have, heads

__all__ = [
    "Adopts",
    "Batch",
    "Change",
    "Checks",
    "Connector",
    "Difference",
    "Erasure",
    "FieldDifference",
    "Forgets",
    "Forgotten",
    "Freshness",
    "Head",
    "KnowsPeople",
    "NeedsActivation",
    "Paced",
    "Planned",
    "Previews",
    "Publishes",
    "ReadsBack",
    "ReadsRows",
    "Rejection",
    "Shown",
    "ShowsFreshness",
    "Sink",
    "SinkBroken",
    "SinkContext",
    "SinkError",
    "SinkHeld",
    "SinkUnavailable",
    "StartFrom",
    "StoredChange",
    "Versioned",
    "WriteResult",
    "connector",
    "connectors",
]

if TYPE_CHECKING:
    import pyarrow as pa

ENTRY_POINT_GROUP = "zimun_sync.connectors"


@dataclass(frozen=True, slots=True)
class Change:
    """The latest state of one record.

    Args:
        seq: sequence in the source's change feed; grows from change to change.
        op: upsert or delete.
        key: the record's key; unique together with the batch's source and stream.
        row: the full state by column name (never a patch), lineage included; None on delete.
            Instants are aware UTC datetimes, wall-clock times naive ones, prices `Decimal`.
        hash: hash of the content, lineage excluded: equal hash, equal content. Empty on delete.
            With other promoted columns or policies the same `seq` comes again with another hash.
        observed_at: when the store took this state, aware UTC.
    """

    seq: int
    op: Op
    key: str
    row: Mapping[str, Any] | None
    hash: str
    observed_at: datetime


@dataclass(frozen=True)
class Batch:
    """Changes of one stream of one source in sequence order, at most one per record.

    Args:
        source: the configured source's name.
        stream: the stream, with its columns.
        stored: the changes as the store holds them, with one value for each of `stream.filled`;
            rows as the store gives them out are brought to that. Many of them keep their rows
            packed, and unpack them whenever they are read: do that once, from front to back.
        more: whether further changes already wait behind this batch. A sink may then put off
            work that only serves readers (never durability): `write` or `close` follows.
        asked: whether a person has looked at these changes, which the sink rejected before, and
            asked for another try.
    """

    source: str
    stream: Stream
    stored: Sequence[StoredChange]
    more: bool = False
    asked: bool = False

    def __post_init__(self) -> None:
        if self.stream.promoted or not all_have(self.stored, len(self.stream.content)):
            rows = [_filled(self.stream, each) for each in self.stored]
            object.__setattr__(self, "stored", rows)  # part of making it

    def __len__(self) -> int:
        return len(self.stored)

    @cached_property
    def heads(self) -> Sequence[Head]:
        """What each change is without its row, which is not read for it."""
        return heads(self.stored)

    @property
    def last_seq(self) -> int:
        """Sequence of the batch's last change."""
        return self.stored[-1].seq

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes with rows of Python values by column name."""
        return tuple(self._change(stored) for stored in self.stored)

    def _change(self, stored: StoredChange) -> Change:
        observed_at = from_micros(stored.observed_at)
        if stored.row is None:
            return Change(stored.seq, Op.DELETE, stored.key, None, "", observed_at)
        row = {
            column.name: to_python(value, column.type)
            for column, value in zip(self.stream.filled, stored.row, strict=True)
        }
        row |= {
            "_source": self.source,
            "_seq": stored.seq,
            "_run_id": stored.run_id,
            "_synced_at": observed_at,
        }
        return Change(stored.seq, Op.UPSERT, stored.key, row, stored.hash, observed_at)


def _filled(stream: Stream, change: StoredChange) -> StoredChange:
    if change.row is None:
        return change
    row = filled(stream, change.row)
    if row is change.row:
        return change
    return change._replace(row=row, hash=hash_of_filled(stream, change.row, change.hash))


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that the sink refused for good.

    Args:
        key: the change's key.
        code: a stable word for the kind of refusal, such as `invalid-email`.
        message: the sink's own words, without secrets.
    """

    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch; the engine checks that the counts add up to it.

    Args:
        applied: changes that altered the sink.
        unchanged: changes the sink already held.
        rejected: changes refused for good, each with its reason.
        skipped: changes that are none of the sink's business, such as streams it has no place
            for, or appointments from before its beginning.
    """

    applied: int
    unchanged: int = 0
    rejected: tuple[Rejection, ...] = ()
    skipped: int = 0


class _NotGiven:
    """Stands for what a context was made without: only a test of another kind of sink may."""

    _what = ""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        msg = f"this context was made without `{self._what}`"
        raise AttributeError(msg)


_NO_MEMORY = cast("Memory", _NotGiven("memory"))
_NO_LOOKUP = cast("Lookup", _NotGiven("lookup"))


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What the engine gives a sink when it opens it.

    Args:
        name: the sink's name in the configuration.
        store_id: identity of the store; a file sink records it and refuses a foreign one.
        heads: the store's last sequence per source; a sink that holds a greater one is ahead
            of the store (a restored backup, an unmounted volume) and must refuse.
        now: the engine's clock, aware UTC.
        stop: set when the process is asked to end; long work may look at it.
        adopting: the user asked to adopt this sink: do not refuse a foreign identity.
        looking: what readers see is about to be compared: leave it as it is.
        memory: what this sink remembers of the system it writes to. For a preview it takes
            writes too, and forgets them afterwards.
        lookup: what the store holds beside the changes of a batch.
        streams: every stream by name, with the columns that the configuration promotes: what to
            be ready for. A batch may still bring one with other promoted columns.
    """

    name: str
    store_id: str
    heads: Mapping[str, int]
    now: Callable[[], datetime]
    stop: Event = field(default_factory=Event)
    adopting: bool = False
    looking: bool = False
    memory: Memory = _NO_MEMORY
    lookup: Lookup = _NO_LOOKUP
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)


class Sink(Protocol):
    """Three methods; no buffering across calls, no retry loop, no sleeping."""

    def open(self, context: SinkContext, /) -> None:
        """Get ready to write; mend whatever a crash left behind.

        Called once before the first write and again after `SinkUnavailable`. Idempotent.

        Raises:
            SinkUnavailable: not now; the engine tries again later.
            SinkBroken: a person has to act (foreign identity, wrong path, refused credentials).
        """
        ...

    def write(self, batch: Batch, /) -> WriteResult:
        """Write every change of the batch, durably on return.

        Idempotent: the same batch twice ends in the same content as once.

        Raises:
            SinkUnavailable: nothing or a part was written; the same batch comes again.
            SinkBroken: a person has to act.
            SinkHeld: a person has to agree first; the same batch comes again after `resume`.
        """
        ...

    def close(self) -> None:
        """Finish what was put off for readers and release every resource. Idempotent."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """A sink whose present content can be compared with the store's."""

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record held for that source and stream.

        Called between `open` and `close`. Changes nothing.
        """
        ...


@runtime_checkable
class ReadsRows(ReadsBack, Protocol):
    """A sink whose values can be compared too: a hash tells what was written, not what is there."""

    def read_rows(self, source: str, stream: Stream, /) -> Iterator["pa.Table"]:
        """Every row held for that source and stream, in parts, with its columns and `_hash`.

        As `tables.upserts_table` makes them. Called between `open` and `close`, and read to its
        end before the next `write`. Changes nothing.
        """
        ...


#: How a record that readers see differs from the one that the sink holds.
Shown = Literal["missing", "differs", "extra"]


@runtime_checkable
class Publishes(Protocol):
    """A sink that makes files for readers of what it holds, and can tell whether they are right."""

    def read_published(self, source: str, stream: Stream, /) -> Iterator[tuple[str, Shown, str]]:
        """What readers do not find as the sink holds it: key, how, and the columns that differ.

        Called between `open`, best with `context.looking` set, and `close`. Changes nothing.
        """
        ...

    def publish_anew(self) -> None:
        """Replace every published file, durably on return, whatever it is now. Idempotent.

        Raises:
            SinkUnavailable: not now; it comes again.
            SinkBroken: a person has to act.
        """
        ...


@runtime_checkable
class Adopts(Protocol):
    """A sink that records which store it belongs to."""

    def adopt(self, context: SinkContext, /) -> None:
        """Record `context.store_id` as this sink's store and forget recorded sequences.

        Called after `open` with `adopting` set. Idempotent.
        """
        ...


@runtime_checkable
class Checks(Protocol):
    """A sink that can be tried without being changed."""

    def check(self, context: SinkContext, /) -> None:
        """Try paths, credentials and rights; leaves nothing behind.

        Raises:
            SinkUnavailable: it cannot be reached now.
            SinkBroken: it would refuse; the hint says what to do.
        """
        ...


@runtime_checkable
class ShowsFreshness(Protocol):
    """A sink that shows its readers how fresh their data is."""

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        """Show these rows in place of all shown before, durably on return.

        Called between `open` and `close`, once after each pull has ended, well or not, and the
        sink has taken what it brought. Idempotent; it is no `write`, and no record changes.

        Raises:
            SinkUnavailable: not now; it comes again.
            SinkBroken: a person has to act.
        """
        ...


@runtime_checkable
class Paced(Protocol):
    """A sink that takes smaller batches than the engine would give it."""

    @property
    def batch_rows(self) -> int:
        """Most changes of one `write`: what may have to be done again after a failure."""
        ...


@runtime_checkable
class Versioned(Protocol):
    """A sink whose settings decide what becomes of a record, such as a mapping of fields."""

    @property
    def fingerprint(self) -> str:
        """Stands for those settings. Another one has everything delivered anew.

        Known before `open`, and the same in every process.
        """
        ...


class FieldDifference(NamedTuple):
    """One field of a remote object.

    Args:
        name: the remote's name of the field.
        present: its value there now; None where it is empty, or the object is not there.
        wanted: the value that would be written.
    """

    name: str
    present: Any
    wanted: Any


#: What would be done to a remote object, or `reject` and `skip`: to a change.
Planned = Literal["create", "update", "cancel", "archive", "link", "reject", "skip"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that writing a change would do to the remote system.

    Args:
        source: of the change.
        stream: of the change.
        key: of the change.
        kind: what it is done to: `contact` or `appointment`.
        action: what would be done. `link` ties an appointment to a contact; `reject` sends the
            change to quarantine; `skip` leaves it out, as from before `start_from`.
        remote_id: the object's id there; None where it would be created.
        fields: what differs, for `create` and `update`; may hold personal data.
        message: why, for `reject` and `skip`; else what is worth knowing.
    """

    source: str
    stream: str
    key: str
    kind: str
    action: Planned
    remote_id: str | None = None
    fields: tuple[FieldDifference, ...] = ()
    message: str = ""


@runtime_checkable
class Previews(Protocol):
    """A sink that can tell what writing a batch would do."""

    def preview(self, batch: Batch, /, *, taken: bool = False) -> Sequence[Difference]:
        """What `write` would do; a change that it names in no difference is unchanged.

        Args:
            batch: changes of one stream.
            taken: whether the sink has taken them before: then what a replay would do, which is
                what was changed there since.

        Called between `open` and `close`, for one batch after the other as `write` would be:
        what an earlier batch would create counts as created. Nothing is written, there or here.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a person has to act.
        """
        ...


#: From when on appointments are sent: the moment of activation, a day or moment (UTC), or all.
StartFrom = Literal["now", "all"] | date


@runtime_checkable
class NeedsActivation(Sink, Previews, Protocol):
    """A sink that writes nothing until a person has seen what it would write, and agreed.

    The engine keeps it parked until then; `zimun-sync sinks activate` asks.
    """

    @property
    def start_from(self) -> StartFrom:
        """Which appointments are sent at all, by their start. Known before `open`."""
        ...


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Records of people who asked to be forgotten. Their rows hold nothing personal any more.

    Args:
        keys: of the records that held something about them, by source and stream.
    """

    keys: Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of what a sink held about people who asked to be forgotten.

    Args:
        complete: whether nothing is left that this sink could reach.
        message: what was erased, in a sentence; where something is left: what, and what a
            person has to do by hand. Without personal data, but for ids.
    """

    complete: bool
    message: str


@runtime_checkable
class Forgets(Protocol):
    """A sink that can erase what is left of former states: files, freed pages, contacts."""

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Erase every former state of these records that the sink still holds somewhere.

        Called between `open` and `close`, after `write` has taken their present states, whose
        personal columns are null. Idempotent: again after a crash, or for records that it never
        held. Nothing that readers see of other records changes.

        Raises:
            SinkUnavailable: not now; it comes again.
            SinkBroken: a person has to act first; it comes again after that.
        """
        ...


@runtime_checkable
class KnowsPeople(Protocol):
    """Settings of a sink that looks people up in the system it writes to."""

    @property
    def known_by(self) -> tuple[str, ...]:
        """Columns of appointments that it looks them up by: they may be dropped, not masked."""
        ...


@dataclass(frozen=True, slots=True)
class Connector:
    """The code of a sink type, as its entry point in `zimun_sync.connectors` presents it.

    Args:
        name: the `type` in the configuration.
        summary: one line for `zimun-sync connectors`.
        settings: the pydantic model of the sink's own configuration section; it refuses
            unknown keys. Relative paths in it are resolved by `build`.
        build: makes a sink from the validated settings and the folder of the configuration
            file. Opens and writes nothing.
    """

    name: str
    summary: str
    settings: type[BaseModel]
    build: Callable[[Any, Path], Sink]


def connectors() -> dict[str, EntryPoint]:
    """Every installed connector by name, not yet imported."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def connector(name: str) -> Connector:
    """The installed connector of that name.

    Raises:
        ConfigError: no such connector, or a library it needs is not installed.
    """
    known = connectors()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"There is no connector named {name!r}.",
            hint=f"{guess}Installed connectors: {', '.join(sorted(known))}.",
        )
    try:
        loaded = known[name].load()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The connector {name!r} needs the Python package {error.name!r}.",
            hint=f"Install it: pip install 'zimun-sync[{name}]'",
        ) from error
    if not isinstance(loaded, Connector):
        raise ConfigError(
            f"The entry point of connector {name!r} is not a zimun_sync.sinks.Connector.",
            hint="Ask the package's maintainer; see docs/connectors/write-a-connector.md.",
        )
    return loaded
