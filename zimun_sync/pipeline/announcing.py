"""Telling of fields that nobody knows, each once ever."""

from collections.abc import Sequence

from zimun_sync.events import Emit, FieldAppeared
from zimun_sync.normalize import Noticed
from zimun_sync.store import Store


def announce_fields(
    store: Store, emit: Emit, source: str, stream: str, noticed: Sequence[Noticed]
) -> None:
    """Remember fields that came up in records, and tell those that nobody has heard of.

    Args:
        store: remembers them.
        emit: told of each that is new.
        source: whose records.
        stream: of which stream.
        noticed: what a normalizer noticed.

    Raises:
        StoreError: the state could not be read or written.
    """
    if not noticed:
        return
    for new in store.fields.notice(source, stream, noticed):
        emit(FieldAppeared(source, stream, new.field, new.json_types[0], new.suggested))
