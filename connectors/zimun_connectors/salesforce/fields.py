"""What is written of contacts and events by default, and which fields that makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zimun_connectors.salesforce.config import SalesforceSettings
from zimun_sync.remotes.contract import Kind
from zimun_sync.remotes.mapping import Defaults

#: Field of an event that names its contact.
WHO: Final = "WhoId"

START, END, DURATION = "StartDateTime", "EndDateTime", "DurationInMinutes"

#: An event has no status of its own: the front desk sees it in front of the subject.
_SUBJECT: Final = (
    "{% if cancelled %}Cancelled: {% elif status == 'no_show' %}No-show: {% endif %}"
    "{{ service.name or resource.name or 'Appointment' }}"
    "{% if contact_name %}, {{ contact_name }}{% endif %}"
)

DEFAULTS: Final = Defaults(
    contact={
        "FirstName": "{{ first_name }}",
        # Salesforce refuses a contact without a last name.
        "LastName": "{{ last_name or contact_email or contact_phone }}",
        "Email": "contact_email",
        "Phone": "contact_phone",
        "LeadSource": {"value": "Zimun"},
    },
    appointment={
        "Subject": _SUBJECT,
        START: {"from": "starts_at", "write": "always"},
        # Salesforce refuses an event without a length; 0 stands for one that is not known.
        DURATION: {"template": "{{ duration_minutes or 0 }}", "write": "always"},
        "Description": "notes",
        "Location": "location.name",
        "Zimun_Status__c": {"from": "status", "write": "always"},
        "ShowAs": {"from": "status", "values": {"cancelled": "Free", "*": "Busy"}},
        "IsReminderSet": {"value": False, "write": "once"},
    },
    owner_field="OwnerId",
    email_field="Email",
    phone_field="Phone",
)


@dataclass(frozen=True, slots=True)
class Table:
    """An object type of Salesforce.

    Args:
        kind: what it stands for.
        name: its API name.
        key_field: the field that keeps our key.
        written: every field that is written, the key's included.
    """

    kind: Kind
    name: str
    key_field: str
    written: tuple[str, ...]


def tables(settings: SalesforceSettings) -> Mapping[Kind, Table]:
    """The object types, by what they stand for."""
    contact = _names(DEFAULTS.contact, settings.contact.fields)
    event = [*_names(DEFAULTS.appointment, settings.appointment.fields), WHO, "OwnerId"]
    return {
        Kind.CONTACT: _table(Kind.CONTACT, "Contact", settings.contact_key_field, contact),
        Kind.APPOINTMENT: _table(Kind.APPOINTMENT, "Event", settings.appointment_key_field, event),
    }


def _names(defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    both = {**defaults, **settings}
    return [name for name, spec in both.items() if spec is not None]


def _table(kind: Kind, name: str, key_field: str, written: list[str]) -> Table:
    return Table(kind, name, key_field, tuple(dict.fromkeys([key_field, *written])))
