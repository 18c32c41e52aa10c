"""Having a sink erase former states of people who asked to be forgotten."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable, StoreError
from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS
from zimun_sync.pipeline.isolate import as_bug
from zimun_sync.sinks import Erasure, Forgets, Forgotten, Sink
from zimun_sync.store import Store

_UNTOLD: Final = Erasure(
    complete=False,
    message="Its records hold nothing personal any more. Whether it keeps former ones somewhere, "
    "its connector cannot tell: look for backups and former versions yourself.",
)


@dataclass(frozen=True, slots=True)
class SinkErasures:
    """What one sink has still to erase of former states.

    What an earlier process left undone counts from the start.

    Args:
        name: the sink's name.
        sink: may be one that cannot tell what it keeps.
        store: where requests and receipts are kept.
        sources: names of streams by source that it is delivered.
    """

    name: str
    sink: Sink
    store: Store
    sources: Mapping[str, Sequence[str]]
    _due: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._due.set()

    def asked(self) -> None:
        """Somebody asked to be forgotten; from any thread."""
        self._due.set()

    def pending(self) -> list[int]:
        """Requests that the sink may see to, once it has taken what is stored now."""
        if not self._due.is_set():
            return []
        self._due.clear()  # before they are read: who asks meanwhile counts again
        try:
            found = self.store.forgettings.pending(self.name)
        except StoreError:
            self._due.set()
            raise
        if found:
            self._due.set()
        return found

    def erase(self, requests: Sequence[int], opened: Callable[[], None]) -> None:
        """Have the sink erase former states of these requests' records.

        Args:
            requests: as `pending` told them, before the sink took what is stored.
            opened: makes sure that the sink is open.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a person has to act.
            ConnectorBug: the connector failed in another way.
            StoreError: the state could not be read or written.
        """
        forgotten = _with_versions(self.store, self.store.forgettings.records(requests))
        try:
            opened()
            erasure = self._erased(forgotten)
        except (SinkUnavailable, SinkBroken) as error:
            self.store.forgettings.delay(self.name, requests, error.message)
            raise
        self.store.forgettings.settle(self.name, requests, erasure)

    def _erased(self, forgotten: Forgotten) -> Erasure:
        left = self._not_delivered(forgotten)
        if left:
            return _left_behind(left)
        refused = _refused(self.store, self.name, forgotten.keys)
        if not isinstance(self.sink, Forgets):
            erasure = _UNTOLD
        else:
            try:
                erasure = self.sink.forget(forgotten)
            except (SinkError, StoreError):
                raise
            except Exception as error:
                raise as_bug(error) from error
        if not refused:
            return erasure
        message = (
            f"It refused {refused} of the records without personal data, and may hold them as "
            f"they were: see `zimun-sync quarantine list --sink {self.name}`. {erasure.message}"
        )
        return Erasure(complete=False, message=message)

    def _not_delivered(self, forgotten: Forgotten) -> list[tuple[str, str]]:
        """Sources and streams that it was given once, and is not given any more."""
        given = self.store.deliveries.places(self.name)
        return [
            (source, stream)
            for source, stream in forgotten.keys
            if (source, stream) in given and stream not in self.sources.get(source, ())
        ]


def _left_behind(places: Sequence[tuple[str, str]]) -> Erasure:
    named = ", ".join(f"{stream} of {source}" for source, stream in places)
    message = (
        f"It holds {named} as they were, for the configuration names them no more: take them back "
        "into it, sync and ask again, or remove them there by hand."
    )
    return Erasure(complete=False, message=message)


def _with_versions(store: Store, forgotten: Forgotten) -> Forgotten:
    """The records with their versions, which sinks hold as records of their own."""
    versions = {
        (source, APPOINTMENT_VERSIONS.name): store.feed.versions_of(source, keys)
        for (source, stream), keys in forgotten.keys.items()
        if stream == APPOINTMENTS.name
    }
    return Forgotten({**forgotten.keys, **{at: ids for at, ids in versions.items() if ids}})


def _refused(store: Store, sink: str, keys: Mapping[tuple[str, str], Sequence[str]]) -> int:
    """How many of these records the sink has rejected."""
    waiting = {(each.source, each.stream, each.key) for each in store.quarantine.entries(sink=sink)}
    return sum(
        (source, stream, key) in waiting
        for (source, stream), found in keys.items()
        for key in found
    )
