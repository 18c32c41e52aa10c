"""Where a record happens: time zones and telephone regions of locations and organization."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from zoneinfo import ZoneInfo

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import from_micros

_MINUTE, _DAY, _DAY_MINUTES = 60_000_000, 86_400_000_000, 1_440
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_FORMATTING = str.maketrans("", "", " \t\u00a0-./()")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        RecordInvalid: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise RecordInvalid("unknown-timezone", f"There is no time zone {name!r}.") from None


@lru_cache(maxsize=262_144)
def _offset_seconds(name: str, minute: int) -> int:
    """Offset in force in a zone; some change it at 00:01, none within a minute."""
    local = from_micros(minute * _MINUTE).astimezone(zone(name))
    offset = local.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=65_536)
def _offset_all_day(name: str, day: int) -> int | None:
    """Offset in force in a zone all through a UTC day; None where it changes or may not be told.

    It changed on no day if it is the same at both ends: no zone ever had a change less than
    three days after the one before.
    """
    try:
        first, last = (_offset_seconds(name, each * _DAY_MINUTES) for each in (day, day + 1))
    except (OverflowError, ValueError):  # at the ends of the calendar
        return None
    return first if first == last else None


def offset_seconds(name: str, micros: int) -> int:
    """Offset from UTC, in seconds, in force in zone `name` at that instant.

    Raises:
        RecordInvalid: the local time falls outside the years 1 to 9999.
    """
    offset = _offset_all_day(name, micros // _DAY)
    if offset is not None:
        return offset
    try:
        return _offset_seconds(name, micros // _MINUTE)
    except (OverflowError, ValueError):
        raise RecordInvalid("out-of-range", "The time is outside the calendar.") from None


@lru_cache(maxsize=262_144)
def phone(number: str, region: str | None) -> str:
    """E.164 where it can be told, else the number as given.

    An international number is only stripped of its formatting; a national one is read
    with the rules of `region` (ISO 3166-1 alpha-2) and must be valid there.
    """
    bare = number.translate(_FORMATTING)
    if _E164.fullmatch(bare) and "(0)" not in number:
        return bare
    return _parse_phone(number, region)


def _parse_phone(number: str, region: str | None) -> str:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_valid_number(parsed) or parsed.extension:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def region_of(code: object) -> str | None:
    """An ISO 3166-1 alpha-2 code, where a source's value looks like one."""
    looks_right = isinstance(code, str) and len(code) == 2 and code.isalpha()  # noqa: PLR2004
    return str(code).upper() if looks_right else None


def country_of(address: str | None) -> str | None:
    """The country code within an address, a JSON text, where it has one."""
    content = msgspec.json.decode(address) if address else None
    return region_of(content.get("country")) if isinstance(content, dict) else None


class Place(msgspec.Struct, frozen=True):
    """What a location or the organization tells about times and telephone numbers there.

    Args:
        timezone: IANA zone, or None where unknown.
        region: ISO 3166-1 alpha-2 country, or None where unknown.
    """

    timezone: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Places:
    """The organization and its locations, as far as the store knows them.

    Args:
        organization: what holds where no location says otherwise.
        locations: by location id.
    """

    organization: Place = field(default_factory=Place)
    locations: Mapping[str, Place] = field(default_factory=dict)

    def at(self, location_id: str | None) -> Place:
        """Zone and region for a record of that location."""
        own = self.locations.get(location_id) if location_id else None
        if own is None:
            return self.organization
        return Place(
            own.timezone or self.organization.timezone, own.region or self.organization.region
        )

    def fingerprint(self) -> str:
        """Changes whenever a normalized row might, the zone database included."""
        zones = {name: _rules(name) for name in self._zone_names()}
        known = (self.organization, sorted(self.locations.items()), sorted(zones.items()))
        return blake2b(msgspec.msgpack.encode(known), digest_size=16).hexdigest()

    def _zone_names(self) -> set[str]:
        places = (self.organization, *self.locations.values())
        return {place.timezone for place in places if place.timezone}


def _rules(name: str) -> list[int]:
    """Offsets of a zone, month by month, over the years that bookings fall in."""
    return [
        _offset_seconds(name, int(datetime(year, month, 15, tzinfo=UTC).timestamp()) // 60)
        for year in range(2015, 2036)
        for month in range(1, 13)
    ]
