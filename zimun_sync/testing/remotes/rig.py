"""Drives the whole engine for the contract: bookings, pull, store, delivery, and the sink."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from zimun_sync.events import ConnectorFailed, Event
from zimun_sync.ids import Known, Memory
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.ahead import in_turn
from zimun_sync.pipeline.consent import starting_from
from zimun_sync.pipeline.contact import sink_context, sink_lease, source_lease
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.pipeline.preview import Preview
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.sinks import Difference, NeedsActivation, Sink, SinkContext
from zimun_sync.store import Entry, Lease, Parked, RunStatus
from zimun_sync.store.notices import Notice
from zimun_sync.testing.remotes.bookings import SOURCE, STREAMS, Bookings, booking_id
from zimun_sync.testing.remotes.harness import RemoteHarness, SeenAppointment, SeenContact
from zimun_sync.testing.remotes.state import open_state

SINK: Final = "crm"
#: Creates that nobody who tests something else wants to be asked about.
_PLENTY: Final = 100_000
_MOST_STEPS: Final = 100


def _as_it_is(memory: Memory) -> Memory:
    return memory


class RemoteRig:
    """One state, one system, and the sink between them; a context manager.

    Args:
        folder: where the state lies.
        harness: the system under test.
        wrap: puts something in front of the sink's memory; the crash checks use it.
    """

    def __init__(
        self, folder: Path, harness: RemoteHarness, wrap: Callable[[Memory], Any] = _as_it_is
    ) -> None:
        self.harness = harness
        self.system = harness.system
        self.bookings = Bookings()
        self.store = open_state(folder)
        self.events: list[Event] = []
        self._leases: list[Lease] = []
        self._settings: dict[str, Any] = {"start_from": "all"}
        self._wrap = wrap
        self._sink: Sink | None = None
        self._delivery: Delivery | None = None

    # -- what a user does ---------------------------------------------------------------------

    def start(self, **settings: Any) -> None:
        """Configure the sink, or configure it otherwise, and agree to what it will write."""
        self.configure(**settings)
        self.activate()

    def configure(self, **settings: Any) -> None:
        """Take up a configuration, as a daemon that starts does."""
        self._settings = {"start_from": "all", **settings}
        self.restart()

    def activate(self, allowance: int = _PLENTY) -> None:
        """Agree to what the sink will write; `allowance` creates are agreed to beforehand."""
        sink = self.sink
        assert isinstance(sink, NeedsActivation), "a remote sink has to be activated"
        moment = starting_from(sink.start_from, sink_context(self.store, SINK).now())
        self.store.activations.activate(SINK, moment, allowance)

    def restart(self) -> None:
        """End the delivery and begin it anew, with a fresh sink."""
        if self._delivery is not None:
            self._delivery.close()
        if self._sink is not None:
            self._sink.close()
        self._sink = self._delivery = None

    def book(self, number: int, **changes: Any) -> None:
        """Make or change a booking; see `Bookings.book`."""
        self.bookings.book(number, **changes)

    def retry(self) -> None:
        """Have everything in quarantine offered again."""
        for entry in self.store.quarantine.entries(sink=SINK):
            self.store.quarantine.mark(entry.id, "retry")

    def resume(self) -> None:
        """Agree to what holds the sink up."""
        self.store.activations.approve(SINK)
        self.store.deliveries.unpark(SINK)

    def replay(self) -> None:
        """Have everything delivered again, and nothing trusted that was sent before."""
        self.store.activations.doubt_sent(SINK)
        self.store.deliveries.rewind(SINK)

    # -- what the engine does -----------------------------------------------------------------

    def sync(self) -> Progress:
        """Pull everything, and deliver it."""
        self.pull()
        return self.deliver()

    def pull(self) -> None:
        """Bring the store up to the bookings."""
        lease = self._lease(source_lease(SOURCE))
        job = SourceJob(SOURCE, self.bookings, Rules({}, {}), self.bookings.to_pull())
        pull = SourcePull(job, self.store, lease, in_turn, self.events.append, lambda: False)
        runs = list(pull.runs())
        assert all(run.status == RunStatus.SUCCEEDED for run in runs), runs

    def deliver(self) -> Progress:
        """Deliver until there is nothing left, or nothing can be done now.

        Raises:
            AssertionError: the connector, or the engine, failed in a way of its own.
        """
        for _ in range(_MOST_STEPS):
            progress = self.delivery.step(more=False)
            failed = [each for each in self.events if isinstance(each, ConnectorFailed)]
            assert not failed, f"{failed[0].error} at {failed[0].where}"
            if progress is not Progress.DELIVERED:
                return progress
        raise AssertionError(f"the delivery did not end after {_MOST_STEPS} steps")

    def preview(self) -> list[Difference]:
        """What the next delivery would do, as `sync --dry-run` shows it."""
        self.restart()
        with Preview(self.store, SINK, self.sink) as preview:
            batches = list(preview.batches({SOURCE: STREAMS}))
        self.restart()
        return [each for batch in batches for each in batch.differences]

    # -- what has become of it ------------------------------------------------------------------

    def appointment(self, number: int) -> SeenAppointment:
        """What the system holds for a booking."""
        found = self.appointment_or_none(number)
        assert found is not None, f"there is no appointment for {booking_id(number)}"
        return found

    def appointment_or_none(self, number: int) -> SeenAppointment | None:
        """What the system holds for a booking, if it does."""
        known = self.known(number)
        present = {each.id: each for each in self.system.appointments()}
        found = present.get(known.remote_id or "") if known is not None else None
        assert found is None or found.key in (None, key_of(number)), f"{found} has a foreign key"
        return found

    def contact(self, number: int) -> SeenContact:
        """The contact that a booking's appointment is tied to."""
        contact_id = self.appointment(number).contact_id
        there = [each for each in self.system.contacts() if each.id == contact_id]
        assert there, f"the appointment of {booking_id(number)} is tied to {contact_id}"
        return there[0]

    def known(self, number: int) -> Known | None:
        """What is remembered of a booking's appointment."""
        key = key_of(number)
        return self.memory.known("appointment", [key]).get(key)

    @property
    def memory(self) -> Memory:
        """What the sink remembers; only to be read."""
        return self.store.memory(SINK)

    @property
    def parked(self) -> Parked | None:
        """Why the sink is parked, if it is."""
        return self.store.deliveries.parked().get(SINK)

    def quarantine(self) -> dict[str, Entry]:
        """Open entries of the sink, by the booking's id."""
        return {entry.key: entry for entry in self.store.quarantine.entries(sink=SINK)}

    def notices(self, code: str) -> list[Notice]:
        """What the sink has reported under a code, each subject once."""
        return [notice for notice in self.store.notices.of(SINK) if notice.code == code]

    def lacks(self, lack: str) -> bool:
        """Whether the harness states that the system does not have this."""
        return lack in self.harness.lacks

    # -- its parts ----------------------------------------------------------------------------

    @property
    def sink(self) -> Sink:
        """The sink as it is configured."""
        if self._sink is None:
            self._sink = self.harness.make(**self._settings)
        return self._sink

    @property
    def delivery(self) -> Delivery:
        """The sink's delivery."""
        if self._delivery is None:
            lease = self._lease(sink_lease(SINK))
            self._delivery = Delivery(
                name=SINK,
                sink=self.sink,
                store=self.store,
                lease=lease,
                sources={SOURCE: list(STREAMS)},
                context=lambda: self._context(lease),
                emit=self.events.append,
                jitter=lambda: 1.0,
            )
        return self._delivery

    def _context(self, lease: Lease) -> SinkContext:
        context = sink_context(self.store, SINK, lease=lease)
        return replace(context, memory=self._wrap(context.memory))

    def _lease(self, name: str) -> Lease:
        held = [lease for lease in self._leases if lease.name == name]
        if not held:
            held = [self.store.leases.acquire(name)]
            self._leases += held
        return held[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            stack.callback(self.store.close)
            stack.callback(self.restart)


def key_of(number: int) -> str:
    """Our key of a booking's appointment."""
    return f"{SOURCE}/{booking_id(number)}"


def at(text: str) -> datetime:
    """An instant with its offset, as `2031-10-26T02:30:00+02:00`."""
    return datetime.fromisoformat(text)
