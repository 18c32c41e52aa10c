"""The names that a mapping can use, and their values for one appointment."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from zimun_sync.ids import Lookup
from zimun_sync.model import (
    APPOINTMENTS,
    LOCATIONS,
    ORGANIZATION,
    RESOURCES,
    SERVICES,
    STAFF,
    Stream,
)

#: What an appointment refers to: the stream, by the name that a mapping uses.
REFERENCES: Final[Mapping[str, Stream]] = {
    "service": SERVICES,
    "staff": STAFF,
    "resource": RESOURCES,
    "location": LOCATIONS,
    "organization": ORGANIZATION,
}

#: Names beside the appointment's columns, with their meaning.
FURTHER: Final[Mapping[str, str]] = {
    "source": "the source's name",
    "key": "our key of the appointment, `source/appointment_id`",
    "cancelled": "whether the appointment is cancelled or deleted",
    "first_name": "all but the last word of `contact_name`",
    "last_name": "the last word of `contact_name`",
    "owner": "the id of the user it belongs to; null where none is known",
}

#: Stands for what an appointment does not refer to, or what is not known.
_NOTHING: Final = {
    reference: dict.fromkeys(column.name for column in stream.columns)
    for reference, stream in REFERENCES.items()
}
_COLUMNS: Final = frozenset(column.name for column in APPOINTMENTS.columns)


def check_name(name: str) -> str:
    """Return a name such as `contact_phone` or `service.name` if a mapping can use it.

    Raises:
        ValueError: there is no such name.
    """
    first, dot, rest = name.partition(".")
    known = _known(first) if dot else _COLUMNS | FURTHER.keys()
    wanted = rest if dot else first
    if wanted in known:
        return name
    near = difflib.get_close_matches(wanted, known, n=1)
    prefix = f"{first}." if dot and known else ""
    guess = f"; did you mean {prefix}{near[0]}?" if near else ""
    msg = f"names {name!r}, which there is not{guess}"
    raise ValueError(msg)


def _known(reference: str) -> frozenset[str]:
    stream = REFERENCES.get(reference)
    return frozenset(column.name for column in stream.columns) if stream else frozenset()


def value_of(name: str, names: Mapping[str, Any]) -> Any:
    """The value of a name that `check_name` accepts."""
    first, dot, rest = name.partition(".")
    return names[first].get(rest) if dot else names.get(first)


def names_of(source: str, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The names of one appointment, but for what it refers to and its owner.

    Args:
        source: the source's name.
        key: our key.
        row: the appointment as `Change.row` has it; of a deleted one its last state.
    """
    first, _, last = (row.get("contact_name") or "").strip().rpartition(" ")
    return {
        **row,
        "source": source,
        "key": key,
        "cancelled": row.get("status") == "cancelled",
        "first_name": first.strip() or None,
        "last_name": last or None,
        "owner": None,
    }


def add_references(source: str, bookings: Iterable[dict[str, Any]], lookup: Lookup) -> None:
    """Add to the names of appointments of one source what they refer to."""
    bookings = list(bookings)
    wanted: dict[str, set[str]] = defaultdict(set)
    for names in bookings:
        for reference, stream in REFERENCES.items():
            if names.get(stream.key) is not None:
                wanted[reference].add(names[stream.key])
    found = {
        reference: lookup.rows(source, REFERENCES[reference].name, keys)
        for reference, keys in wanted.items()
    }
    for names in bookings:
        for reference, stream in REFERENCES.items():
            rows = found.get(reference, {})
            names[reference] = rows.get(names.get(stream.key) or "", _NOTHING[reference])
