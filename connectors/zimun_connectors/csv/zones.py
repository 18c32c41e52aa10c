"""In which zone a record's times are shown: its location's, else its organization's."""

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from zimun_sync.errors import SinkBroken

#: Turns instants of one batch into wall clocks.
Clocks = Callable[[pa.Array], pa.Array]

_MINUTE = 60_000_000


class Zones:
    """Time zones by place.

    Args:
        places: IANA zone by (source, location or organization id).
    """

    def __init__(self, places: Mapping[tuple[str, str], str] | None = None) -> None:
        self._places = places or {}

    @classmethod
    def of(cls, batches: Iterable[tuple[str, pa.RecordBatch]]) -> "Zones":
        """The zones in rows of locations and organizations, each given with its key column."""
        places: dict[tuple[str, str], str] = {}
        for key, batch in batches:
            columns = [batch.column(name).to_pylist() for name in ("_source", key, "timezone")]
            for source, place, zone in zip(*columns, strict=True):
                if zone:
                    places[source, place] = zone
        return cls(places)

    def clocks(self, batch: pa.RecordBatch) -> Clocks:
        """What shows the instants of that batch's rows, each in its record's zone.

        A record without a zone of a name is shown at its `utc_offset_minutes`, else in UTC.
        """
        zones = self._zones(batch)
        names = batch.schema.names
        offset = (
            batch.column("utc_offset_minutes") if "utc_offset_minutes" in names else pa.scalar(0)
        )
        shift = pc.multiply(pc.coalesce(offset, pa.scalar(0)), _MINUTE)

        def show(instants: pa.Array) -> pa.Array:
            utc = instants.cast(pa.int64())
            shown = pc.add(utc, shift).cast(pa.timestamp("us"))
            for zone in pc.unique(zones).drop_null().to_pylist():
                local = _wall_clock(instants, zone)
                if local is not None:
                    shown = pc.if_else(pc.is_in(zones, value_set=pa.array([zone])), local, shown)
            return shown

        return show

    def _zones(self, batch: pa.RecordBatch) -> pa.Array:
        sources = batch.column("_source").to_pylist()
        found: list[str | None] = [None] * len(sources)
        for name in ("timezone", "location_id", "organization_id"):
            if name not in batch.schema.names:
                continue
            values = batch.column(name).to_pylist()
            if name != "timezone":
                values = [self._places.get(place) for place in zip(sources, values, strict=True)]
            found = [known or value for known, value in zip(found, values, strict=True)]
        return pa.array(found, pa.string())


def _wall_clock(instants: pa.Array, zone: str) -> pa.Array | None:
    """The instants on that zone's clocks; None where there is no such zone.

    Raises:
        SinkBroken: there is, but this machine does not know it.
    """
    try:
        return pc.local_timestamp(instants.cast(pa.timestamp("us", zone)))
    except pa.ArrowInvalid as error:
        if not _exists(zone):
            return None
        raise SinkBroken(
            f"This machine's time zone database does not know {zone}: {error}",
            hint="Install the operating system's `tzdata` package.",
        ) from error


def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
