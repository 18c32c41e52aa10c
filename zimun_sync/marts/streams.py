"""What a row of each stream's table is; its columns say it themselves in `zimun_sync.model`."""

from typing import Final

from zimun_sync.model import Stream

_ROWS: Final = {
    "organization": "The business of each source, with the zone and currency of its head office.",
    "locations": "Places where appointments take place, each with its own time zone.",
    "services": "What can be booked.",
    "staff": "People who can be booked.",
    "resources": "Rooms and equipment that can be booked.",
    "holidays": "Days on which a location is closed, as far ahead as they were asked for.",
    "availability": "Free slots of a service, staff member and day, as they were last seen.",
    "appointment_versions": "Every version, the present one too, of each appointment that has "
    "changed since it was first seen; `appointment_history` has the others as well.",
    "appointments": "Every appointment that the source has, cancelled ones too, as it is now.",
}


def stream_comment(stream: Stream) -> str:
    """The comment on a stream's table or view."""
    rows = _ROWS.get(stream.name, f"Zimun {stream.name}, one row a record, as of now.")
    return f"{rows} Written by zimun-sync only."
