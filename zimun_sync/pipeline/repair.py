"""Having exactly the records that differ in sinks delivered again, the way all records go."""

from collections.abc import Iterable, Sequence

from zimun_sync.pipeline.findings import Compared
from zimun_sync.store import Place, Store


def ask_for_sinks(store: Store, found: Iterable[Compared]) -> dict[str, int]:
    """Have what sinks lack or hold wrongly delivered again, by whoever delivers to them.

    Durable on return; asking again changes nothing.

    Returns:
        How many records of each sink.
    """
    asked: dict[str, int] = {}
    for each in found:
        keys = [finding.key for finding in each.faults] if each.sink else []
        if keys:
            store.redeliveries.ask(Place(each.sink, each.source, each.stream), keys)
            asked[each.sink] = asked.get(each.sink, 0) + len(keys)
    return asked


def still_waiting(store: Store, sinks: Sequence[str]) -> dict[str, int]:
    """Records that are yet to be delivered again; of parked sinks none, for they wait for someone.

    Returns:
        How many, by sink; those that wait for none are left out.
    """
    parked = store.deliveries.parked()
    counts = {name: store.redeliveries.count(name) for name in sinks if name not in parked}
    return {name: count for name, count in counts.items() if count}
