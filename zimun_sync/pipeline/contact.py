"""Coming into contact with sinks: the first try, what they are opened with, their delivery."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from zimun_sync.errors import ConfigError, SinkBroken, SinkUnavailable
from zimun_sync.events import Emit
from zimun_sync.pipeline.deliver import Delivery, streams_in_order
from zimun_sync.sinks import Checks, Sink, SinkContext
from zimun_sync.store import Lease, ParkKind, Store
from zimun_sync.store.clock import utc_now


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What deliveries share.

    Args:
        store: the feed and the offsets.
        emit: told what happens.
        stop: set when the process is asked to end.
    """

    store: Store
    emit: Emit
    stop: Event


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
        sources={source: streams_in_order(each) for source, each in streams.items()},
        context=lambda: sink_context(at.store, name, at.stop),
        emit=at.emit,
        jitter=random.random,
    )


def try_new_sinks(store: Store, sinks: Mapping[str, Sink], stop: Event) -> None:
    """Try every sink that was never delivered to.

    Raises:
        ConfigError: one of them needs a person.
    """
    for name, sink in sinks.items():
        if not store.deliveries.known(name):
            first_contact(name, sink, sink_context(store, name, stop))


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


def sink_context(
    store: Store, name: str, stop: Event | None = None, *, adopting: bool = False
) -> SinkContext:
    """What the engine opens a sink with."""
    return SinkContext(
        name=name,
        store_id=store.store_id,
        heads=store.feed.heads(),
        now=utc_now,
        stop=stop or Event(),
        adopting=adopting,
    )


def source_lease(name: str) -> str:
    """The lease under which a source's pages are committed."""
    return f"source:{name}"


def sink_lease(name: str) -> str:
    """The lease under which a sink's offsets are committed."""
    return f"sink:{name}"
