"""A batch of changes as appointments on their way to a remote system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zimun_sync.ids import Lookup
from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.names import add_references, names_of
from zimun_sync.remotes.people import Person, person_of
from zimun_sync.remotes.settings import Action, RemoteSettings
from zimun_sync.sinks import Batch, Change


@dataclass(frozen=True, slots=True)
class Booking:
    """One appointment's latest state.

    Args:
        id: the record's key in its source.
        key: our key: `source/id`.
        run_id: the run that brought it.
        action: what its status leads to.
        names: what a mapping can use; see `names.py`.
        person: who booked.
        asked: whether a person asked for another try; see `Batch`.
    """

    id: str
    key: str
    run_id: str
    action: Action
    names: dict[str, Any]
    person: Person
    asked: bool = False


def bookings_of(batch: Batch, settings: RemoteSettings, lookup: Lookup) -> list[Booking]:
    """The batch's appointments, those that the source deleted with their last content."""
    deleted = [change.key for change in batch.changes if change.row is None]
    last = lookup.rows(batch.source, APPOINTMENTS.name, deleted) if deleted else {}
    bookings = [
        _booking(batch, number, change, settings, last)
        for number, change in enumerate(batch.changes)
    ]
    add_references(batch.source, [booking.names for booking in bookings], lookup)
    return bookings


def _booking(
    batch: Batch,
    number: int,
    change: Change,
    settings: RemoteSettings,
    last: Mapping[str, Mapping[str, Any]],
) -> Booking:
    key = f"{batch.source}/{change.key}"
    if change.row is None:
        row = {**last.get(change.key, {}), "status": "cancelled"}
        action: Action = settings.deleted
    else:
        row = dict(change.row)
        action = settings.action(row["status"] or "other")
    names = names_of(batch.source, key, row)
    return Booking(
        id=change.key,
        key=key,
        run_id=batch.heads[number].run_id,
        action=action,
        names=names,
        person=person_of(row),
        asked=batch.asked,
    )


def by_contact(bookings: Sequence[Booking], contacts: Mapping[str, str]) -> dict[str, Booking]:
    """Of each contact the latest booking. `contacts`: the contact's key by booking's key."""
    latest: dict[str, Booking] = {}
    for booking in bookings:
        contact = contacts.get(booking.key)
        if contact is not None:
            latest[contact] = booking
    return latest
