"""What fills HubSpot's properties unless the configuration says otherwise."""

from collections.abc import Mapping
from typing import Any, Final

from zimun_connectors.hubspot.config import HubspotSettings
from zimun_sync.remotes.mapping import Defaults

_CONTACT: Final = {
    "email": "contact_email",
    "firstname": "first_name",
    "lastname": "last_name",
    "phone": "contact_phone",
}

_TITLE: Final = (
    "{{ service.name | default(resource.name, true) | default('Appointment', true) }}"
    "{% if staff.name | default(none) %} · {{ staff.name }}{% endif %}"
)
#: Its start, its end and what became of it are the booking system's to say.
_START: Final = {"from": "starts_at", "write": "always"}
_END: Final = {"from": "ends_at", "write": "always", "null": "clear"}
_OUTCOME: Final = {
    "from": "status",
    "values": {
        "completed": "COMPLETED",
        "no_show": "NO_SHOW",
        "cancelled": "CANCELED",
        "*": "SCHEDULED",
    },
    "write": "always",
}

_MEETING: Final = {
    "hs_meeting_title": _TITLE,
    "hs_meeting_start_time": _START,
    "hs_meeting_end_time": _END,
    "hs_timestamp": _START,  # where the meeting stands on the timeline
    "hs_meeting_outcome": _OUTCOME,
    # HubSpot shows the body as HTML, and what a customer typed is none.
    "hs_meeting_body": "{{ notes | escape | replace('\\n', '<br>') if notes else none }}",
    "hs_meeting_location": "location.name",
}

_APPOINTMENT: Final = {
    "hs_appointment_name": _TITLE,
    "hs_appointment_start": _START,
    "hs_appointment_end": _END,
    "hs_appointment_status": _OUTCOME,
}

_BY_OBJECT: Final[Mapping[str, Mapping[str, Any]]] = {
    "meetings": _MEETING,
    "appointments": _APPOINTMENT,
}


def defaults(settings: HubspotSettings) -> Defaults:
    """The connector's own mapping for the object that the settings choose."""
    return Defaults(
        contact=_CONTACT,
        appointment=_BY_OBJECT[settings.object],
        owner_field="hubspot_owner_id",
        email_field="email",
        phone_field="phone",
    )
