"""A HubSpot portal's content, and its rules as HubSpot's public documentation tells them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

import phonenumbers

Properties = dict[str, str]
Details = list[dict[str, Any]]

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_OUTCOMES: Final = ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED")
_NUMBERS: Final = {"phone": "phone", "mobilephone": "mobile"}
_TEXTS: Final = {
    "contacts": ("firstname", "lastname", "phone", "mobilephone", "jobtitle", "hubspot_owner_id"),
    "meetings": ("hs_meeting_title", "hs_meeting_body", "hs_meeting_location", "hubspot_owner_id"),
    "appointments": ("hs_appointment_name", "hubspot_owner_id"),
}
_INSTANTS: Final = {
    "contacts": (),
    "meetings": ("hs_timestamp", "hs_meeting_start_time", "hs_meeting_end_time"),
    "appointments": ("hs_appointment_start", "hs_appointment_end"),
}
_CHOICES: Final = {
    "contacts": {},
    "meetings": {"hs_meeting_outcome": _OUTCOMES},
    "appointments": {"hs_appointment_status": _OUTCOMES},
}
_READ_ONLY: Final = ("hs_object_id", "hs_additional_emails", "createdate")


class Conflict(Exception):
    """A value that must be unique is another object's."""

    def __init__(self, kind: str, existing: str) -> None:
        noun = kind.removesuffix("s").capitalize()
        super().__init__(f"{noun} already exists. Existing ID: {existing}")
        self.existing = existing


class Invalid(Exception):
    """Values that a property does not take: details in HubSpot's form."""

    def __init__(self, details: Details) -> None:
        super().__init__(details)
        self.details = details


class Missing(Exception):
    """An id that no object has."""


@dataclass(slots=True)
class Record:
    """One object."""

    id: str
    properties: Properties
    archived: bool = False
    merged_into: str | None = None

    @property
    def live(self) -> bool:
        return not self.archived and self.merged_into is None


@dataclass(slots=True)
class Owner:
    """A user that objects can belong to."""

    id: str
    email: str
    archived: bool = False


@dataclass
class Portal:
    """Objects, properties, owners and associations, and what people do to them.

    Args:
        id: the account's id.
        region: country of phone numbers without country code.
        preserves_ids: a merge keeps the primary's id instead of making a third one.
        follows_merges: an update by a merged object's id reaches the survivor.
        lagging: search sees what was there at the last `index`.
        ignored: properties that are taken and not written.
    """

    id: int = 24681357
    region: str = "AT"
    preserves_ids: bool = False
    follows_merges: bool = False
    lagging: bool = False
    owners: list[Owner] = field(default_factory=list)
    associations: set[tuple[str, str, str]] = field(default_factory=set)
    groups: set[tuple[str, str]] = field(default_factory=set)
    rules: list[tuple[str, str, str, str]] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._ids = count(1001)
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in _TEXTS}
        self._index: dict[str, list[Record]] = {kind: [] for kind in _TEXTS}
        self._unique: dict[tuple[str, str, str], str] = {}
        self.definitions = {kind: _definitions(kind) for kind in _TEXTS}

    # -- what people do ---------------------------------------------------------------------

    def add(self, kind: str, **properties: str) -> str:
        """Somebody creates an object."""
        return self.write(kind, None, properties).id

    def edit(self, kind: str, record_id: str, **properties: str) -> None:
        """Somebody edits an object."""
        self.write(kind, record_id, properties)

    def delete(self, kind: str, record_id: str) -> None:
        """Somebody deletes an object."""
        self.archive(kind, record_id)

    def merge(self, primary: str, other: str) -> str:
        """Somebody merges a contact into another; the id of what remains."""
        kept, lost = self.get("contacts", primary), self.get("contacts", other)
        merged = {**lost.properties, **kept.properties}
        merged["hs_additional_emails"] = lost.properties.get("email", "")
        survivor = kept if self.preserves_ids else self._new("contacts", {})
        survivor.properties = merged
        for record in (kept, lost):
            if record is not survivor:
                record.merged_into = survivor.id
                self._move(record.id, survivor.id)
        self._note("contacts", survivor)
        return survivor.id

    def forbid(self, kind: str, name: str, value: str, message: str) -> None:
        """An administrator's validation rule: a property's value must not hold this."""
        self.rules.append((kind, name, value, message))

    def index(self) -> None:
        """The search index catches up."""
        self._index = {
            kind: [Record(each.id, dict(each.properties)) for each in self.of(kind)]
            for kind in self._records
        }

    # -- what there is ----------------------------------------------------------------------

    def of(self, kind: str) -> list[Record]:
        """Objects that are there, oldest first."""
        return [record for record in self._records[kind].values() if record.live]

    def has_type(self, kind: str) -> bool:
        return kind in self._records

    def deactivate(self, kind: str) -> None:
        """The portal does not have this type of objects."""
        del self._records[kind]

    def get(self, kind: str, record_id: str, *, follow: bool = True) -> Record:
        """An object by id, by default also by the id of one that was merged into it."""
        record = self._records[kind].get(record_id)
        while follow and record is not None and record.merged_into is not None:
            record = self._records[kind].get(record.merged_into)
        if record is None or not record.live:
            raise Missing(record_id)
        return record

    def by_value(self, kind: str, name: str, value: str) -> Record | None:
        """The object with a value of a unique property."""
        record = self._records[kind].get(self._unique.get((kind, name, value.lower()), ""))
        if record is not None and record.live and value.lower() in _held(record, name):
            return record
        return None

    def search(self, kind: str, name: str, values: Iterable[str]) -> list[Record]:
        """Objects that the index has with one of these values."""
        wanted = {value.lower() for value in values}
        records = self._index[kind] if self.lagging else self.of(kind)
        return [record for record in records if self.shown(record, name).lower() in wanted]

    def shown(self, record: Record, name: str) -> str:
        """A property's value, those that HubSpot calculates included."""
        for typed, calculated in _NUMBERS.items():
            number = record.properties.get(typed, "")
            if name == f"hs_calculated_{calculated}_number":
                return _number(number, self.region, full=True)
            if name == f"hs_searchable_calculated_{calculated}_number":
                return _number(number, self.region, full=False)
        return record.id if name == "hs_object_id" else record.properties.get(name, "")

    def contacts_of(self, kind: str, record_id: str) -> set[str]:
        """Ids of the contacts that an object is associated with."""
        return {to for each, start, to in self.associations if (each, start) == (kind, record_id)}

    # -- what the API does ------------------------------------------------------------------

    def write(self, kind: str, record_id: str | None, properties: Mapping[str, str]) -> Record:
        """Create an object, or write properties of one.

        Raises:
            Conflict, Invalid, Missing: nothing was written.
        """
        record = None if record_id is None else self._target(kind, record_id)
        self.check(kind, record, properties)
        properties = {each: properties[each] for each in properties if each not in self.ignored}
        given = {name: value for name, value in properties.items() if value != ""}
        if record is None:
            return self._new(kind, given)
        emptied = properties.keys() - given.keys()
        kept = {name: value for name, value in record.properties.items() if name not in emptied}
        record.properties = {**kept, **given}
        self._note(kind, record)
        return record

    def check(self, kind: str, record: Record | None, properties: Mapping[str, str]) -> None:
        """Refuse what `write` would."""
        details = [
            detail
            for name, value in properties.items()
            if (detail := self._fault(kind, name, value)) is not None
        ]
        if (
            kind == "meetings"
            and record is None
            and not {
                "hs_timestamp",
                "hs_meeting_start_time",
            }
            & {name for name, value in properties.items() if value}
        ):
            details.append(_detail("hs_timestamp", "REQUIRED_FIELD", "hs_timestamp is required"))
        if details:
            raise Invalid(details)
        for name, value in properties.items():
            other = self.by_value(kind, name, value) if self._is_unique(kind, name) else None
            if value and other is not None and other is not record:
                raise Conflict(kind, other.id)

    def archive(self, kind: str, record_id: str) -> None:
        """Delete an object with its associations."""
        record = self.get(kind, record_id)
        record.archived = True
        self.associations = {
            each
            for each in self.associations
            if each[:2] != (kind, record_id) and (kind != "contacts" or each[2] != record_id)
        }

    def erase(self, record_id: str) -> None:
        """Delete a contact for good, as the GDPR has it: nobody can restore it."""
        self.archive("contacts", record_id)
        del self._records["contacts"][record_id]

    def _target(self, kind: str, record_id: str) -> Record:
        return self.get(kind, record_id, follow=self.follows_merges)

    def _new(self, kind: str, properties: Properties) -> Record:
        record = Record(str(next(self._ids)), dict(properties))
        self._records[kind][record.id] = record
        self._note(kind, record)
        return record

    def _note(self, kind: str, record: Record) -> None:
        """Remember which object has which unique value."""
        for name in record.properties:
            if self._is_unique(kind, name):
                for value in _held(record, name):
                    self._unique[kind, name, value] = record.id

    def _move(self, former: str, survivor: str) -> None:
        self.associations = {
            (kind, start, survivor if to == former else to) for kind, start, to in self.associations
        }

    def _is_unique(self, kind: str, name: str) -> bool:
        return bool(self.definitions[kind][name].get("hasUniqueValue"))

    def _fault(self, kind: str, name: str, value: str) -> dict[str, Any] | None:
        definition = self.definitions[kind].get(name)
        if definition is None:
            return _detail(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if definition.get("readOnly"):
            return _detail(name, "READ_ONLY_VALUE", f'"{name}" is a read only property')
        for on, of, forbidden, message in self.rules:
            if (on, of) == (kind, name) and forbidden in value:
                return _detail(name, "VALIDATION_RULE", message)
        return _ill_formed(name, value, definition) if value else None


def _held(record: Record, name: str) -> set[str]:
    """Values of a unique property, in lower case: a contact may have several addresses."""
    values = [record.properties.get(name, "")]
    if name == "email":
        values += record.properties.get("hs_additional_emails", "").split(";")
    return {value.lower() for value in values if value}


def _ill_formed(name: str, value: str, definition: Mapping[str, Any]) -> dict[str, Any] | None:
    if name == "email" and not _EMAIL.fullmatch(value):
        return _detail(name, "INVALID_EMAIL", f"Email address {value} is invalid")
    if definition["type"] == "datetime" and not _is_instant(value):
        return _detail(name, "INVALID_DATE", f"{value} was not a valid timestamp.")
    options = definition.get("options", ())
    if options and value not in options:
        text = f"{value} was not one of the allowed options: {', '.join(options)}"
        return _detail(name, "INVALID_OPTION", text)
    return None


def _is_instant(value: str) -> bool:
    try:
        return value.isdigit() or datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _detail(name: str, code: str, message: str) -> dict[str, Any]:
    return {"message": message, "code": code, "context": {"propertyName": [name]}}


def _definitions(kind: str) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    made |= {name: {"type": "string"} for name in _TEXTS[kind]}
    made |= {name: {"type": "datetime"} for name in _INSTANTS[kind]}
    made |= {
        name: {"type": "enumeration", "options": each} for name, each in _CHOICES[kind].items()
    }
    made |= {name: {"type": "string", "readOnly": True} for name in _READ_ONLY}
    if kind == "contacts":
        made["email"] = {"type": "string", "hasUniqueValue": True}
    return made


def _number(text: str, region: str, *, full: bool) -> str:
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if full:
        return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return str(phonenumbers.national_significant_number(parsed))
