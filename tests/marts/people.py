"""Who is who among the customers, told from the source's own records in plain Python."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import phonenumbers

Json = dict[str, Any]
_REGIONS = {"l_berlin": "DE", "l_newyork": "US"}


def customers_of(records: Iterable[Json]) -> dict[str, str | None]:
    """The customer of each appointment: by address, else by phone, else nobody."""
    found = list(records)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for record in found:
        address, phone = _address(record), _phone(record)
        if address and phone:
            owners[phone].add(address)
    return {record["appointment_id"]: _customer(record, owners) for record in found}


def _customer(record: Json, owners: dict[str, set[str]]) -> str | None:
    address, phone = _address(record), _phone(record)
    if not address and phone and len(owners.get(phone, ())) == 1:
        (address,) = owners[phone]
    if address:
        return f"email:{address}"
    return f"phone:{phone}" if phone else None


def _address(record: Json) -> str:
    return (record["contact_email"] or "").strip().lower()


def _phone(record: Json) -> str | None:
    """The number as one would dial it from abroad; as given where it cannot be told."""
    given: str | None = record["contact_phone"]
    if not given:
        return None
    try:
        number = phonenumbers.parse(given, _REGIONS[record["location_id"]])
    except phonenumbers.NumberParseException:
        return given
    if not phonenumbers.is_valid_number(number):
        return given
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
