"""Coming into contact with sinks: the first try, what they are opened with, their delivery."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from zimun_sync.errors import ConfigError, SinkBroken, SinkUnavailable
from zimun_sync.events import Emit
from zimun_sync.ids import Activation
from zimun_sync.model import STREAMS, Stream, delivered
from zimun_sync.pipeline.deliver import Delivery
from zimun_sync.pipeline.rehearsal import Rehearsal
from zimun_sync.privacy import OPEN, Guard, GuardedLookup
from zimun_sync.sinks import Checks, NeedsActivation, Sink, SinkContext
from zimun_sync.store import Lease, ParkKind, Store
from zimun_sync.store.clock import utc_now


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What deliveries share.

    Args:
        store: the feed and the offsets.
        emit: told what happens.
        stop: set when the process is asked to end.
        streams: every stream by name, with the columns that the configuration promotes.
        guards: what hides from each sink what its policies say, by name.
    """

    store: Store
    emit: Emit
    stop: Event
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)
    guards: Mapping[str, Guard] = field(default_factory=dict)


def delivery_of(
    name: str,
    sink: Sink,
    lease: Lease,
    streams: Mapping[str, Sequence[str]],
    at: Surroundings,
) -> Delivery:
    """A sink's delivery; one that was parked as broken is tried again.

    Args:
        name: the sink's name.
        sink: not open.
        lease: the sink's.
        streams: what each source pulls.
        at: what deliveries share.
    """
    parked = at.store.deliveries.parked().get(name)
    if parked is not None and parked.kind is ParkKind.BROKEN:
        at.store.deliveries.unpark(name)  # someone may have mended it
    return Delivery(
        name=name,
        sink=sink,
        store=at.store,
        lease=lease,
        sources={source: delivered(each) for source, each in streams.items()},
        context=lambda: _context(name, at, lease),
        emit=at.emit,
        jitter=random.random,
        streams=at.streams,
        guard=at.guards.get(name, OPEN),
    )


def _context(name: str, at: Surroundings, lease: Lease | None = None) -> SinkContext:
    guard = at.guards.get(name, OPEN)
    return sink_context(at.store, name, at.stop, lease=lease, streams=at.streams, guard=guard)


def try_new_sinks(sinks: Mapping[str, Sink], at: Surroundings) -> None:
    """Try every sink that was never delivered to.

    One that has to be activated is left out: its activation tries it, and what is wrong with a
    remote system must not keep the others from being delivered to.

    Raises:
        ConfigError: one of them needs a person.
    """
    for name, sink in sinks.items():
        if not isinstance(sink, NeedsActivation) and not at.store.deliveries.known(name):
            first_contact(name, sink, _context(name, at))


def first_contact(name: str, sink: Sink, context: SinkContext) -> None:
    """Try a sink without changing it, where its connector can do that.

    Raises:
        ConfigError: it needs a person.
    """
    if not isinstance(sink, Checks):
        return
    try:
        sink.check(context)
    except SinkUnavailable:
        return  # not now is no mistake: its delivery waits for it
    except SinkBroken as error:
        raise ConfigError(f"sinks.{name}: {error.message}", hint=error.hint) from error


def sink_context(  # noqa: PLR0913 - most leave all but two at their defaults
    store: Store,
    name: str,
    stop: Event | None = None,
    *,
    adopting: bool = False,
    lease: Lease | None = None,
    assuming: Activation | None = None,
    streams: Mapping[str, Stream] = STREAMS,
    guard: Guard = OPEN,
    looking: bool = False,
) -> SinkContext:
    """What the engine opens a sink with.

    Args:
        store: the state.
        name: the sink's name.
        stop: set when the process is asked to end.
        adopting: whether the user asked to adopt the sink.
        lease: the sink's. Without it the sink remembers nothing beyond this context.
        assuming: the consent to assume, where there is no lease.
        streams: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.
        looking: whether what readers see is about to be compared.
    """
    memory = store.memory(name, lease) if lease else Rehearsal(store.memory(name), assuming)
    return SinkContext(
        name=name,
        store_id=store.store_id,
        heads=store.feed.heads(),
        now=utc_now,
        stop=stop or Event(),
        adopting=adopting,
        looking=looking,
        memory=memory,
        lookup=GuardedLookup(store.lookup, guard) if guard.hidden else store.lookup,
        streams=streams,
    )


def source_lease(name: str) -> str:
    """The lease under which a source's pages are committed."""
    return f"source:{name}"


def sink_lease(name: str) -> str:
    """The lease under which a sink's offsets are committed."""
    return f"sink:{name}"
