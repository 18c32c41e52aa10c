"""Which store fills a file sink, and how far."""

from collections.abc import Mapping

from zimun_sync.errors import SinkBroken
from zimun_sync.sinks import SinkContext


def refuse_other_store(
    context: SinkContext, store_id: str | None, positions: Mapping[str, int]
) -> None:
    """Make sure that this store fills the sink, and knows all that the sink holds.

    Args:
        context: what the engine says about the store.
        store_id: the store that the sink has recorded, if any.
        positions: last sequence per source that the sink has recorded.

    Raises:
        SinkBroken: it is another store, or one that fell behind the sink.
    """
    if context.adopting:
        return
    hint = f"If that is as it should be, run: zimun-sync adopt {context.name}"
    if store_id not in (None, context.store_id):
        raise SinkBroken(
            f"Sink {context.name!r} is filled from another store ({store_id}) than this one "
            f"({context.store_id}).",
            hint=hint,
        )
    for source, seq in positions.items():
        head = context.heads.get(source, 0)
        if seq > head:
            raise SinkBroken(
                f"Sink {context.name!r} is ahead of the store: it holds change {seq} of source "
                f"{source!r}, the store's last is {head}. Was a backup restored, or a volume not "
                "mounted?",
                hint=hint,
            )
