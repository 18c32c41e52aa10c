"""Comparing one stream in one sink with the store: which records differ, and why.

The sink tells what it holds, a part at a time, and the store is asked for just those records.
What the store has besides is found by the hashes of the keys that came, eight bytes each: memory
grows by those alone. The sink stands still meanwhile; the store may go on, which only ever makes
records newer than what the sink has come to.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

from zimun_sync.model import DERIVED, Stream
from zimun_sync.pipeline.compare_rows import Part, different, parts_of
from zimun_sync.pipeline.findings import Compared, Finding, Kind, Why
from zimun_sync.pipeline.listings import Interrupted, Stopping
from zimun_sync.pipeline.marks import Marks
from zimun_sync.pipeline.offering import fingerprint_of, version_of
from zimun_sync.privacy import Guard
from zimun_sync.sinks import Batch, Publishes, ReadsBack, Shown, Sink, StoredChange
from zimun_sync.store import REDELIVERED, Place, Store

#: Records that are looked up at once.
_AT_ONCE: Final = 5_000
_KINDS: Final[Mapping[Shown, Kind]] = {
    "missing": Kind.MISSING_IN_SINK,
    "differs": Kind.DIFFERS_IN_SINK,
    "extra": Kind.ONLY_IN_SINK,
}
_REPAIR: Final = "`zimun-sync verify --repair` delivers it again."
_ASKED: Final = "it was to be delivered again, and has not been yet"
_HINTS: Final[Mapping[Why, str]] = {
    Why.FAULT: _REPAIR,
    Why.QUARANTINE: "`zimun-sync quarantine list` tells what to do.",
    Why.DROPPED: "A person gave it up; it comes again when the source changes it.",
    Why.WAITING: "It is on its way.",
    Why.UNDECIDED: "It changed meanwhile: look again.",
    Why.RETIRED: "The state let go of it, being past `retention`; the sink keeps it.",
}


@dataclass
class SinkComparison:
    """Compares one stream of one source in an open sink.

    Args:
        store: what should be there.
        place: which stream of which source, in which sink.
        stream: it, with the columns that the configuration promotes.
        sink: open, used by nobody else meanwhile.
        guard: hides from the sink what its policies say.
        stopping: asked again and again.
    """

    store: Store
    place: Place
    stream: Stream
    sink: Sink
    guard: Guard
    stopping: Stopping

    def run(self) -> Compared:
        """Compare everything.

        Raises:
            Interrupted: the process was asked to end.
            SinkError: the sink cannot be read now.
            StoreError: the state cannot be read.
        """
        self._found = Compared(self.place.source, self.place.stream, self.place.sink)
        self._met, self._told = Marks(), set[str]()
        if not isinstance(self.sink, ReadsBack):
            self._found.skipped = "it cannot be read back"
            return self._found
        for part in parts_of(self.sink, self.place.source, self.stream):
            self._compare(part)
        self._look_for_missing()
        self._look_at_readers()
        self._found.same -= len(self._told)
        return self._found

    @cached_property
    def _offset(self) -> int:
        fingerprint = fingerprint_of(self.stream, version_of(self.sink, self.guard))
        return self.store.deliveries.offset(self.place, fingerprint)

    @cached_property
    def _refused(self) -> Mapping[str, tuple[str, str]]:
        return self.store.redeliveries.refused(self.place)

    def _compare(self, part: Part) -> None:
        """Compare a part of what the sink holds."""
        self._go_on()
        present = self._present(part.keys)
        self._met.add(part.keys)
        batch = self.guard.batch(Batch(self.place.source, self.stream, list(present.values())))
        there = {head.key for head in batch.heads if not head.deleted}
        there.intersection_update(part.keys)
        for key, detail in different(part, batch).items():
            if key in there:
                self._tell(key, Kind.DIFFERS_IN_SINK, detail, present[key])
        self._tell_surplus(set(part.keys) - there, present)
        self._found.same += len(there)

    def _tell_surplus(self, keys: Collection[str], present: Mapping[str, StoredChange]) -> None:
        retired = set[str]()
        if keys and self.place.stream in DERIVED:
            retired = self.store.standing.past_their_time(self.place.source, keys)
        for key in sorted(keys):
            if key in retired:
                self._add(key, Kind.ONLY_IN_SINK, Why.RETIRED, "")
            else:
                detail = "deleted in the store" if key in present else "unknown to the store"
                self._tell(key, Kind.ONLY_IN_SINK, detail, present.get(key))

    def _look_for_missing(self) -> None:
        for keys in self._stored_keys():
            self._go_on()
            unmet = [key for key in keys if key not in self._met]
            for key, change in self._present(unmet).items():
                if change.row is not None:
                    self._found.same += 1  # as every record that is told
                    self._tell(key, Kind.MISSING_IN_SINK, "", change)

    def _stored_keys(self) -> Iterator[list[str]]:
        at = (self.place.source, self.place.stream)
        derived = self.place.stream in DERIVED
        keys = (key for key, _ in self.store.feed.hashes(*at)) if derived else None
        every = iter(keys or self.store.standing.keys(*at))
        while some := list(islice(every, _AT_ONCE)):
            yield some

    def _look_at_readers(self) -> None:
        """What readers see, against what the sink holds."""
        if not isinstance(self.sink, Publishes):
            return
        for key, shown, columns in self.sink.read_published(self.place.source, self.stream):
            self._go_on()
            if key not in self._told:
                detail = f"as readers see it{': ' if columns else ''}{columns}"
                self._tell(key, _KINDS[shown], detail, self._present([key]).get(key))

    def _present(self, keys: Sequence[str]) -> dict[str, StoredChange]:
        found = self.store.feed.present(self.place.source, self.place.stream, keys) if keys else []
        return {change.key: change for change in found}

    def _tell(self, key: str, kind: Kind, detail: str, change: StoredChange | None) -> None:
        if kind is not Kind.ONLY_IN_SINK:
            self._told.add(key)
        why, code = self._why(key, change)
        self._add(key, kind, why, code or detail)

    def _add(self, key: str, kind: Kind, why: Why, detail: str) -> None:
        self._found.add(Finding(key, kind, why, detail, _HINTS[why]))

    def _why(self, key: str, change: StoredChange | None) -> tuple[Why, str]:
        if change is not None and change.seq > self._offset:
            return Why.WAITING, ""
        status, code = self._refused.get(key, ("", ""))
        if not status:
            return Why.FAULT, ""
        if code == REDELIVERED:
            return Why.FAULT, _ASKED  # a repair that did not come to its end
        return (Why.DROPPED if status == "dropped" else Why.QUARANTINE), code

    def _go_on(self) -> None:
        if self.stopping():
            raise Interrupted
