"""What a sink has at hand between `open` and `close`, and how it comes to that."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.warehouse.claim import Claim, refuse_lost
from zimun_connectors.warehouse.config import WarehouseSettings
from zimun_connectors.warehouse.memory import Held, Memory
from zimun_connectors.warehouse.shape import Shape
from zimun_connectors.warehouse.warehouse import Warehouse
from zimun_sync.model import Stream
from zimun_sync.sinks import SinkContext


@dataclass(frozen=True, slots=True)
class Session:
    """The open sink.

    Args:
        memory: what is remembered of the dataset.
        warehouse: the dataset.
        shape: the columns that its tables have.
        context: what the sink was opened with.
    """

    memory: Memory
    warehouse: Warehouse
    shape: Shape
    context: SinkContext

    @property
    def now(self) -> datetime:
        """The engine's clock."""
        return self.context.now()

    def close(self) -> None:
        """Let go of the memory, and of rows that lie about."""
        self.warehouse.close()
        self.memory.close()


def begin(
    settings: WarehouseSettings, warehouse: Warehouse, memory: Memory, context: SinkContext
) -> Session:
    """Claim a dataset that is nobody's; remember what is in one that is ours.

    Raises:
        SinkBroken: it is another's, or what this sink wrote is gone.
    """
    claim, remembered = warehouse.claim(), memory.claimed(settings.fingerprint)
    if claim is not None:
        claim.refuse_other(context, settings.place)
    elif remembered is not None:
        refuse_lost(context, settings.place)
    claim, former = _shaped(warehouse, claim, context)
    if claim.id != remembered:
        _recall(warehouse, memory, claim, settings.fingerprint, former)
    refuse_other_store(context, claim.store_id, memory.positions())
    return Session(memory, warehouse, Shape.from_text(claim.shape), context)


def _shaped(
    warehouse: Warehouse, claim: Claim | None, context: SinkContext
) -> tuple[Claim, Iterable[Stream]]:
    """The claim once the tables have every column, and the streams that had a table before."""
    found = Shape({}) if claim is None else Shape.from_text(claim.shape)
    wanted = Shape.of(context.streams.values())
    shape = found.extended(wanted)
    warehouse.count_remade(shape.remade)
    streams = [shape.widened(stream) for stream in context.streams.values()]
    if claim is not None and shape == found:
        return claim, streams
    new = warehouse.prepare(streams, found.changed(wanted))
    if claim is None:
        claim = Claim.new(context, shape, adopted=False)
    claim = replace(claim, shape=shape.as_text())
    warehouse.put_claim(claim)
    return claim, [stream for stream in streams if stream.name not in new]


def _recall(
    warehouse: Warehouse, memory: Memory, claim: Claim, place: str, streams: Iterable[Stream]
) -> None:
    """Learn anew what the dataset holds; what is cut off begins again with the next `open`."""
    with memory.transaction():
        memory.begin("", place, claim.store_id)
    for stream in streams:
        parts = warehouse.held(stream)
        memory.recall(stream.name, None, forgetting(parts) if claim.adopted else parts)
    memory.recall_positions()
    with memory.transaction():
        memory.renew(claim.id, place)


def forgetting(parts: Iterator[Sequence[Held]]) -> Iterator[Sequence[Held]]:
    """The rows without their sequences, where those say nothing."""
    for part in parts:
        yield [held._replace(seq=0) for held in part]
