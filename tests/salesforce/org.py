"""A Salesforce organization in memory: contacts, events and users, with what it insists on.

Written from Salesforce's public documentation. Where that leaves open what an update of an
event's start alone does to its end, this one refuses it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from tests.salesforce.schema import CONTACT, EVENT, OBJECTS, USER, Column

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_INSTANT: Final = "%Y-%m-%dT%H:%M:%S"


@dataclass(slots=True)
class Refusal(Exception):
    """Salesforce does not take a record."""

    code: str
    message: str
    fields: tuple[str, ...] = ()

    def as_error(self) -> dict[str, Any]:
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}


@dataclass(slots=True)
class Stored:
    """A record.

    Args:
        table: its object type.
        values: by field, as an answer has them.
        is_deleted: whether it is in the recycle bin.
        is_archived: whether it is an activity that Salesforce archived.
        master: the id of what it was merged into.
    """

    table: str
    values: dict[str, Any]
    is_deleted: bool = False
    is_archived: bool = False
    master: str | None = None

    @property
    def id(self) -> str:
        return str(self.values["Id"])


@dataclass
class FakeOrg:
    """What one organization holds, and the rules that people set up in it.

    Args:
        id: the organization's.
        tables: its object types with their fields; tests may take fields away.
        duplicate_rule: None, `alert` or `block`: for a new contact of a known e-mail address.
        refused: text in any field that a validation rule refuses, and the rule's words.
        locked: ids of records that somebody else holds locked.
        ignored: fields that an update leaves as they are, without a word.
    """

    id: str = ""
    tables: dict[str, dict[str, Column]] = field(default_factory=dict)
    duplicate_rule: str | None = None
    refused: dict[str, str] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    saved: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._ids = count(1)
        self._records: dict[str, Stored] = {}
        self.id = self.id or full_id("00D5g000004Xyz1")
        self.tables = self.tables or {name: dict(table) for name, table in OBJECTS.items()}
        self.user_id = self.add(USER, Email="sync@org.example", IsActive=True).id

    # -- looking ----------------------------------------------------------------------------

    def all(self, table: str) -> Iterator[Stored]:
        """Every record of a table, the deleted ones too."""
        return (record for record in self._records.values() if record.table == table)

    def live(self, table: str) -> list[Stored]:
        """Every record of a table that is there."""
        return [record for record in self.all(table) if not record.is_deleted]

    def get(self, record_id: Any) -> Stored | None:
        """A record by its id of 15 or 18 characters, deleted or not."""
        return self._records.get(full_id(str(record_id)[:15]))

    # -- what people do ---------------------------------------------------------------------

    def add(self, table: str, **values: Any) -> Stored:
        """Make a record by hand, past every rule."""
        number = f"{next(self._ids):08d}"
        record_id = full_id(f"{OBJECTS_PREFIX[table]}5g00{number}")
        empty = {name: column.default for name, column in self.tables[table].items()}
        record = Stored(table, empty | values | {"Id": record_id})
        self._records[record_id] = record
        return record

    def delete_by_hand(self, record_id: str) -> None:
        """Move a record to the recycle bin."""
        record = self._records[record_id]
        record.is_deleted = True
        if record.table == CONTACT:
            self._move_events(record_id, None)

    def merge(self, loser: str, winner: str) -> None:
        """Merge a contact into another one."""
        record = self._records[loser]
        record.is_deleted, record.master = True, winner
        self._move_events(loser, winner)

    def _move_events(self, contact: str, to: str | None) -> None:
        for event in self.all(EVENT):
            if event.values.get("WhoId") == contact:
                event.values["WhoId"] = to

    # -- what programs do -------------------------------------------------------------------

    def create(self, table: str, given: Mapping[str, Any], *, allow: bool = False) -> Stored:
        """Make a record. `allow`: alerts of duplicate rules are passed over."""
        values = self._known(table, given)
        missing = [
            name
            for name, column in self.tables[table].items()
            if column.required and not values.get(name)
        ]
        if missing:
            names = ", ".join(missing)
            raise Refusal(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{names}]", tuple(missing)
            )
        self._check(table, values, None)
        self._check_duplicates(table, values, allow=allow)
        if table == EVENT:
            values |= {"OwnerId": values.get("OwnerId") or self.user_id}
            _check_new_times(values)
        self.saved[table] += 1
        return self.add(table, **values)

    def update(self, record_id: Any, given: Mapping[str, Any]) -> Stored:
        """Change a record."""
        record = self._present(record_id)
        values = self._known(record.table, given)
        emptied = [
            name for name in values if self.tables[record.table][name].required and not values[name]
        ]
        if emptied:
            raise Refusal(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: {emptied}", tuple(emptied)
            )
        self._check(record.table, values, record)
        if record.table == EVENT:
            _check_times(record, values)
        self.saved[record.table] += 1
        record.values |= {name: value for name, value in values.items() if name not in self.ignored}
        return record

    def upsert(
        self, table: str, key_field: str, given: Mapping[str, Any], *, allow: bool = False
    ) -> tuple[Stored, bool]:
        """Create or change by external id; tells whether it was created."""
        key = given.get(key_field)
        same = [record for record in self.live(table) if record.values.get(key_field) == key]
        if len(same) > 1:
            raise Refusal(
                "DUPLICATE_EXTERNAL_ID",
                f"{key_field}: more than one record found for external id field: "
                f"[{', '.join(record.id for record in same)}]",
                (key_field,),
            )
        if same:
            return self.update(same[0].id, given), False
        return self.create(table, given, allow=allow), True

    def delete(self, record_id: Any) -> None:
        """Move a record to the recycle bin."""
        record = self._present(record_id)
        self.saved[record.table] += 1
        self.delete_by_hand(record.id)

    def _present(self, record_id: Any) -> Stored:
        record = self.get(record_id)
        if record is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if record.is_deleted:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
        if record.id in self.locked:
            raise Refusal("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        return record

    def _known(self, table: str, given: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name in ("Id", "attributes"):
                continue
            column = self.tables[table][name]
            if not column.writable:
                raise Refusal(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {name}. Please check the security settings "
                    "of this field and verify that it is read/write for your profile or "
                    "permission set.",
                    (name,),
                )
            values[name] = column.read(name, value)
        return values

    def _check(self, table: str, values: Mapping[str, Any], record: Stored | None) -> None:
        for text, words in self.refused.items():
            if any(text in str(value) for value in values.values()):
                raise Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", words)
        for name, column in self.tables[table].items():
            if column.unique and values.get(name) is not None:
                self._check_unique(table, name, values[name], record)
        self._check_references(values)

    def _check_unique(self, table: str, name: str, value: Any, record: Stored | None) -> None:
        for other in self.live(table):
            if other is not record and other.values.get(name) == value:
                raise Refusal(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {name} duplicates value on record with id: "
                    f"{other.id[:15]}",
                )

    def _check_references(self, values: Mapping[str, Any]) -> None:
        for name in ("WhoId", "OwnerId"):
            if values.get(name) is None:
                continue
            target = self.get(values[name])
            if target is None:
                raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            if target.is_deleted:
                raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
            if name == "OwnerId" and not target.values["IsActive"]:
                raise Refusal(
                    "INACTIVE_OWNER_OR_USER",
                    f"operation performed with inactive user [{target.id}] as owner of event",
                )

    def _check_duplicates(self, table: str, values: Mapping[str, Any], *, allow: bool) -> None:
        if table != CONTACT or self.duplicate_rule is None or not values.get("Email"):
            return
        if self.duplicate_rule == "alert" and allow:
            return
        if any(each.values["Email"] == values["Email"] for each in self.live(CONTACT)):
            raise Refusal("DUPLICATES_DETECTED", "Use one of these records?")


OBJECTS_PREFIX: Final = {CONTACT: "003", EVENT: "00U", USER: "005"}


def full_id(short: str) -> str:
    """The 18 characters of an id: the last three say which of the others are capitals."""
    suffix = ""
    for chunk in (short[:5], short[5:10], short[10:15]):
        bits = sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())
        suffix += _LETTERS[bits]
    return short + suffix


def instant(text: str) -> datetime:
    """An instant as an answer has it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _check_new_times(values: dict[str, Any]) -> None:
    start, end = values.get("StartDateTime"), values.get("EndDateTime")
    duration = values.get("DurationInMinutes")
    if start is None or (duration is None and end is None):
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", "an event has a start, and a duration or an end")
    values |= _times(start, duration, end)


def _check_times(record: Stored, values: dict[str, Any]) -> None:
    names = ("StartDateTime", "DurationInMinutes", "EndDateTime")
    start, duration, end = (values.get(name) for name in names)
    if start is None and duration is None and end is None:
        return
    if (start is None) != (duration is None and end is None):
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", "start, duration and end do not agree")
    values |= _times(str(start or record.values["StartDateTime"]), duration, end)


def _times(start: str, duration: int | None, end: str | None) -> dict[str, Any]:
    begins = instant(start)
    length = timedelta(minutes=duration) if duration is not None else instant(str(end)) - begins
    if end is not None and instant(end) != begins + length:
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", "start, duration and end do not agree")
    return {
        "DurationInMinutes": int(length.total_seconds() // 60),
        "EndDateTime": spelled(begins + length),
    }


def spelled(value: datetime) -> str:
    """An instant as Salesforce answers it."""
    return value.astimezone(UTC).strftime(_INSTANT) + ".000+0000"
