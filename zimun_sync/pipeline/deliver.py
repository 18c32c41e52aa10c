"""Delivering the change feed to one sink: read, write, record, at the sink's own pace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from zimun_sync.errors import SinkBroken, SinkError, SinkHeld, SinkUnavailable, StoreError
from zimun_sync.events import (
    BatchDelivered,
    ConnectorFailed,
    Emit,
    SinkNoticed,
    SinkParked,
    SinkWaiting,
)
from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS, DERIVED, STREAMS, Stream
from zimun_sync.pipeline.anew import asked_anew, write_anew
from zimun_sync.pipeline.consent import inactive_hint, lacks_consent
from zimun_sync.pipeline.erasures import SinkErasures
from zimun_sync.pipeline.errands import Errands
from zimun_sync.pipeline.freshness import FreshnessShow
from zimun_sync.pipeline.isolate import ConnectorBug, Isolated, as_bug, write
from zimun_sync.pipeline.offering import fingerprint_of, retried, rows_at_once, version_of
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import (
    Batch,
    NeedsActivation,
    Sink,
    SinkContext,
    StoredChange,
    WriteResult,
)
from zimun_sync.store import Delivered, Lease, ParkKind, Place, Store

_VERSIONS = APPOINTMENT_VERSIONS.name
#: Changes offered to a sink at once.
BATCH_ROWS = 20_000
#: Unexpected failures of the same batch before it is taken apart.
TRIES = 3
#: A sink that refuses more than this share of a batch, and at least so many, is parked.
PARK_SHARE, PARK_LEAST = 0.2, 10
_BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Progress(Enum):
    """What a step came to."""

    IDLE = auto()  #: the sink holds everything there is
    DELIVERED = auto()  #: something was taken; there may be more
    WAITING = auto()  #: the sink is not available; see `wait`
    PARKED = auto()  #: nothing more until someone acts


class Taken(Enum):
    """What a sink took of one stream in a round."""

    NOTHING = auto()  #: there was nothing
    PARTLY = auto()  #: a batch, and there is more
    ALL = auto()  #: everything that there was


class _At(NamedTuple):
    """Where delivery of a stream to the sink stands."""

    place: Place
    fingerprint: str
    offset: int


@dataclass(slots=True)
class Totals:
    """What a sink did since the delivery was made."""

    applied: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0

    def add(self, result: WriteResult) -> None:
        """Count a batch."""
        self.applied += result.applied
        self.unchanged += result.unchanged
        self.rejected += len(result.rejected)
        self.skipped += result.skipped

    def since(self, before: "Totals") -> "Totals":
        """What came on top of earlier totals."""
        return Totals(
            self.applied - before.applied,
            self.unchanged - before.unchanged,
            self.rejected - before.rejected,
            self.skipped - before.skipped,
        )


@dataclass(slots=True)
class Delivery:
    """One sink's delivery: `step()` does one round; nothing here sleeps or starts threads.

    Args:
        name: the sink's name.
        sink: not yet open.
        store: the feed and the offsets.
        lease: the right to write for this sink.
        sources: streams by source, in the order they are delivered.
        context: what the sink is opened with.
        emit: told what happens.
        jitter: a number from 0 to 1, spreads retries.
        streams: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.
        totals: what was delivered so far.
        wait: seconds until the next attempt, after a step that came to WAITING.
        wait_is_named: whether the sink itself named that time.
        reason: why it waits or is parked.
        parked: whether it gets nothing until someone acts.
        behind: whether a full batch was taken, so that more is waiting for sure.
        errands: what others want of the sink; done at the beginning of each step.
    """

    name: str
    sink: Sink
    store: Store
    lease: Lease
    sources: dict[str, list[str]]
    context: Callable[[], SinkContext]
    emit: Emit
    jitter: Callable[[], float]
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)
    guard: Guard = OPEN
    totals: Totals = field(default_factory=Totals)
    wait: float = 0.0
    wait_is_named: bool = False
    reason: str = ""
    behind: bool = False
    parked: bool = False
    errands: Errands = field(default_factory=Errands)
    _freshness: FreshnessShow = field(init=False)
    _erasures: SinkErasures = field(init=False)
    _is_open: bool = False
    _failures: int = 0
    _bugs: int = 0

    def __post_init__(self) -> None:
        self._freshness = FreshnessShow(self.sink, self.store, self.sources)
        self._erasures = SinkErasures(self.name, self.sink, self.store, self.sources)

    def pull_ended(self) -> None:
        """Have the sink show how fresh it is, once it has taken what there is; from any thread."""
        self._freshness.pull_ended()

    def people_forgotten(self) -> None:
        """Have the sink erase their former states, when it has taken the rest; from any thread."""
        self._erasures.asked()

    def step(self, *, more: bool) -> Progress:
        """Deliver one batch of each stream.

        Args:
            more: whether further changes are on their way into the store.

        Raises:
            LeaseLost: another process took over this sink.
            StoreError: the state could not be read or written.
        """
        if self.errands.run(self._lent):
            self._let_go()  # what failed may have left it in any state
        self.parked = self._has_to_wait()
        if self.parked:
            self._let_go()  # whoever has to mend it may need what it holds
            return Progress.PARKED
        try:
            delivered = self._deliver_ahead() if more else self._deliver_and_settle()
        except SinkUnavailable as error:
            return self._wait(error)
        except (SinkBroken, SinkHeld) as error:
            return self._park_for(error)
        except ConnectorBug as bug:
            return self._count_bug(bug)
        if delivered:
            self._failures = self._bugs = 0
        if self.is_parked():
            return Progress.PARKED
        return Progress.DELIVERED if delivered else Progress.IDLE

    def _deliver_ahead(self) -> bool:
        """A round while a pull goes on."""
        delivered = self._deliver_round(more=True)
        if not self._is_open and self._freshness.is_certain():
            self._open()  # while the pull waits for its source, not after it
        return delivered

    def _deliver_and_settle(self) -> bool:
        """A round, and what waits until the sink has taken everything."""
        unshown, forgotten = self._freshness.is_due(), self._erasures.pending()
        delivered = self._deliver_round(more=False)
        settled = not self.behind and not self.is_parked()
        if unshown and settled:
            self._freshness.show(self._open)
        if forgotten and settled:
            self._erasures.erase(forgotten, self._open)
        return delivered

    def forget_failures(self) -> None:
        """Let the next wait for the sink be a short one again."""
        self._failures = 0

    def is_parked(self) -> bool:
        """Whether it gets nothing more until someone acts."""
        return self.parked

    def close(self) -> None:
        """Close the sink if it is open.

        Raises:
            SinkBroken: closing failed for a reason a person has to mend.
        """
        if self._is_open:
            self._is_open = False
            self.sink.close()
            self.store.deliveries.mark_closed(self.name)

    def give_up(self, error: SinkError) -> None:
        """Park a sink that could not even be closed."""
        self._park(ParkKind.BROKEN, error.message, error.hint)

    def _has_to_wait(self) -> bool:
        """Whether a person has to act first: it is parked, or was never activated."""
        parked = self.store.deliveries.parked().get(self.name)
        lacking = lacks_consent(self.store, self.name, self.sink)
        if lacking is not None:
            if parked is None:
                self._park(ParkKind.INACTIVE, lacking, inactive_hint(self.name))
            return True
        if parked is not None and parked.kind is ParkKind.INACTIVE:
            self.store.deliveries.unpark(self.name)
            return False
        return parked is not None

    def _deliver_round(self, *, more: bool) -> bool:
        self.behind = delivered = False
        heads = self.store.feed.heads()
        for source, streams in self.sources.items():
            delivered |= self._deliver_source(source, streams, heads.get(source, 0), more=more)
        if not delivered and not self._is_open and self.store.deliveries.left_open(self.name):
            self._open()  # a crash came between its last write and its close
        return delivered

    def _deliver_source(
        self, source: str, streams: Sequence[str], head: int, *, more: bool
    ) -> bool:
        """Deliver a batch of each stream, of what was stored when the round began.

        Readers may see a version's past before what followed it, never the other way round:
        appointments wait for their versions.
        """
        version = version_of(self.sink, self.guard)
        fingerprints = {name: fingerprint_of(self.streams[name], version) for name in streams}
        offsets = self.store.deliveries.waiting(self.name, source, fingerprints)
        taken: dict[str, Taken] = {}
        for name in (each for each in streams if each in offsets):
            held_back = name == APPOINTMENTS.name and taken.get(_VERSIONS) is Taken.PARTLY
            if not held_back and not self.is_parked():
                # Versions are shown in one step with their appointments, which come next.
                goes_on = more or (name in DERIVED and APPOINTMENTS.name in offsets)
                at = _At(Place(self.name, source, name), fingerprints[name], offsets[name])
                taken[name] = self._deliver_one(at, head, more=goes_on)
        return any(each is not Taken.NOTHING for each in taken.values())

    def _deliver_one(self, at: _At, head: int, *, more: bool) -> Taken:
        place, _, offset = at
        source, stream = place.source, self.streams[place.stream]
        if stream.name in DERIVED and isinstance(self.sink, NeedsActivation):
            self._pass_over(at)
            return Taken.NOTHING
        most = rows_at_once(self.sink, BATCH_ROWS)
        stored = self.store.feed.changes(source, stream.name, offset, most, upto=head)
        again = [] if stored else retried(self.store, place, offset)
        anew = [] if stored or again else asked_anew(self.store, place, offset)
        if not (stored or again or anew):
            return Taken.NOTHING
        self.store.feed.make_durable(source)
        full = max(len(again), len(anew)) > most or self._has_more(place, stored, most, head)
        self.behind |= full
        offered = stored or (again or anew)[:most]
        batch = Batch(source, stream, offered, more=more or full, asked=bool(again))
        batch = self.guard.batch(batch)
        result = self._write_anew(batch) if anew else self._write(batch)
        self._record(at, batch, result)
        return Taken.PARTLY if full else Taken.ALL

    def _has_more(self, place: Place, stored: Sequence[StoredChange], most: int, head: int) -> bool:
        """Whether the feed goes on: what a sink puts off for more to come would never come about.

        A full batch may be the last; one of versions, which ends between appointments, may be
        short and not the last.
        """
        if not stored or (len(stored) < most and place.stream not in DERIVED):
            return False
        last = stored[-1].seq
        return bool(self.store.feed.changes(place.source, place.stream, last, 1, upto=head))

    def _pass_over(self, at: _At) -> None:
        """Leave out a past that a remote system has no use for: it must not cost it a call."""
        place, fingerprint, offset = at
        if self.store.feed.lag(place.source, place.stream, offset).changes:
            head = self.store.feed.heads()[place.source]
            nothing = Delivered(head, [], (), "")
            self.store.deliveries.record(self.lease, place, fingerprint, nothing, began_at=offset)

    def _write(self, batch: Batch) -> WriteResult:
        self._open()
        try:
            if self._bugs < TRIES:
                return write(self.sink, batch)
            return Isolated(self.sink, self._reopen).write(batch)
        finally:
            self._tell_notices()

    def _write_anew(self, batch: Batch) -> WriteResult:
        return write_anew(self.sink, batch, self._write, self.context)

    def _open(self) -> None:
        if self._is_open:
            return
        try:
            self.sink.open(self.context())
        except (SinkError, StoreError):
            raise
        except Exception as error:
            raise as_bug(error) from error
        self._is_open = True

    def _lent(self) -> Sink:
        self._open()
        return self.sink

    def _reopen(self) -> None:
        self._let_go()
        self._open()

    def _let_go(self) -> None:
        """Close a sink that failed; what closing it raises adds nothing to the failure."""
        try:
            self.close()
        except Exception as error:  # noqa: BLE001 - a failed connector may raise anything
            bug = as_bug(error)
            self.emit(ConnectorFailed(self.name, bug.error, bug.where))

    def _record(self, at: _At, batch: Batch, result: WriteResult) -> None:
        place, fingerprint, offset = at
        rejected = {rejection.key for rejection in result.rejected}
        held = [head.key for head in batch.heads if head.key not in rejected]
        seq = max(offset, batch.last_seq)
        delivered = Delivered(seq, held, result.rejected, batch.heads[-1].run_id)
        recorded = self.store.deliveries.record(
            self.lease, place, fingerprint, delivered, began_at=offset
        )
        if not recorded:
            return  # someone asked for a replay: it comes again from there
        self.totals.add(result)
        lag = max(self.store.feed.heads().get(place.source, 0) - seq, 0) if batch.more else 0
        self.emit(
            BatchDelivered(
                self.name,
                place.source,
                place.stream,
                result.applied,
                result.unchanged,
                len(rejected),
                lag,
                result.skipped,
            )
        )
        if len(rejected) >= PARK_LEAST and len(rejected) > PARK_SHARE * len(batch):
            self._park(
                ParkKind.REJECTIONS,
                f"It rejected {len(rejected)} of {len(batch)} {place.stream} "
                f"({result.rejected[0].code}).",
                f"Look at `zimun-sync quarantine list`, mend the cause, then "
                f"`zimun-sync resume {self.name}`.",
            )

    def _wait(self, error: SinkUnavailable) -> Progress:
        self._let_go()
        step = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
        self._failures += 1
        own = step * (0.5 + self.jitter() / 2)
        self.wait_is_named = error.retry_after is not None
        self.wait = own if error.retry_after is None else error.retry_after
        self.reason = error.message
        self.emit(SinkWaiting(self.name, self.wait, error.message))
        return Progress.WAITING

    def _count_bug(self, bug: ConnectorBug) -> Progress:
        """Try the same batch again; then take it apart; a sink that cannot open is parked."""
        self.emit(ConnectorFailed(self.name, bug.error, bug.where))
        self._bugs += 1
        if self._bugs > TRIES:
            return self._park(
                ParkKind.BUG,
                f"Its connector failed {self._bugs} times: {bug}.",
                f"This is a bug of the connector: report it. `zimun-sync resume {self.name}` "
                "tries again; nothing was skipped.",
            )
        return self._wait(SinkUnavailable(f"The connector failed: {bug}."))

    def _park_for(self, error: SinkBroken | SinkHeld) -> Progress:
        if isinstance(error, SinkBroken):
            return self._park(ParkKind.BROKEN, error.message, error.hint)
        hint = error.hint or f"If that is right: `zimun-sync resume {self.name}`."
        return self._park(ParkKind.HELD, error.message, hint)

    def _tell_notices(self) -> None:
        """Tell what the sink noticed for the first time."""
        for notice in self.store.notices.untold(self.name):
            self.emit(SinkNoticed(self.name, notice.code, notice.subject, notice.message))

    def _park(self, kind: ParkKind, reason: str, hint: str) -> Progress:
        self._let_go()
        self.parked = True
        self.reason = reason
        self.store.deliveries.park(self.name, kind, reason, hint)
        self.emit(SinkParked(self.name, reason, hint))
        return Progress.PARKED
