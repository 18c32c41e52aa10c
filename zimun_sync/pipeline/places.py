"""What the store knows about the places of a source, for the normalizer."""

from dataclasses import replace
from typing import Any

from msgspec import structs

from zimun_sync.model import LOCATIONS, ORGANIZATION, Stream
from zimun_sync.normalize import Place, Places, Rules
from zimun_sync.normalize.places import country_of, region_of
from zimun_sync.store import Store

_ALL = 1_000_000


def places_of(store: Store, source: str) -> Places:
    """Zones and regions of the source's organization and locations, as last listed."""
    locations = {
        row["location_id"]: Place(row["timezone"], country_of(row["address"]))
        for row in rows_of(store, source, LOCATIONS)
    }
    organizations = [
        Place(row["timezone"], region_of(row["country"]))
        for row in rows_of(store, source, ORGANIZATION)
    ]
    return Places(organizations[0] if organizations else Place(), locations)


def rules_now(store: Store, source: str, rules: Rules) -> Rules:
    """The user's words on a source's fields, with everybody who asked to be forgotten."""
    strict = rules.forgotten.strict
    who = structs.replace(store.forgettings.suppressions(), source=source, strict=strict)
    return replace(rules, forgotten=who)


def in_force(rules: Rules, places: Places) -> str:
    """Changes whenever rows have to be normalized anew; the store keeps it for each source."""
    return f"{rules.fingerprint()}-{places.fingerprint()}"


def rows_of(store: Store, source: str, stream: Stream) -> list[dict[str, Any]]:
    """Rows of a small stream that are not deleted, by column, as they are stored."""
    names = [column.name for column in stream.content]
    changes = store.feed.changes(source, stream.name, 0, _ALL)
    # Values of promoted fields may follow those of the columns.
    return [
        dict(zip(names, change.row, strict=False)) for change in changes if change.row is not None
    ]
