"""Removing from the state what is past its retention."""

from collections.abc import Callable

from msgspec.structs import astuple

from zimun_sync.events import Emit, StateCleaned
from zimun_sync.store import Keep, Store


def clean(store: Store, keep: Keep, emit: Emit, stopping: Callable[[], bool]) -> None:
    """Remove it, and tell how much there was, if anything.

    Args:
        store: to clean.
        keep: how long each kind is kept.
        emit: told.
        stopping: asked between transactions; true ends the work early.

    Raises:
        StoreError: the state could not be read or written; what was removed stays so.
    """
    cleaned = store.retention.clean(keep, stopping)
    if any(astuple(cleaned)):
        emit(StateCleaned(cleaned.inbox, cleaned.runs, cleaned.history, cleaned.quarantine))
