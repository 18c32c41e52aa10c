"""Who booked: a person's keys, and whether two bookings are the same person's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zimun_sync.remotes.contract import By
from zimun_sync.remotes.values import digest

_EMAIL: Final = re.compile(r"[^@\s\0]+@[^@\s\0]+")
_PHONE: Final = re.compile(r"\+[0-9]{6,15}")
_EMAIL_PREFIX: Final = "email:"
_PHONE_PREFIX: Final = "phone:"


@dataclass(frozen=True, slots=True)
class Person:
    """Who an appointment was booked by.

    Args:
        email: lower case; None where there is none that could be one.
        phone: E.164; None where it is not known in that form.
        name: as given; may be empty.
    """

    email: str | None
    phone: str | None
    name: str

    @property
    def email_key(self) -> str | None:
        """The person key of the e-mail address."""
        return self.email and _EMAIL_PREFIX + self.email

    @property
    def phone_key(self) -> str | None:
        """The person key of the phone number."""
        return self.phone and _PHONE_PREFIX + self.phone

    @property
    def key(self) -> str | None:
        """The key of a contact made for this person; None if there is no way to know it again."""
        return self.email_key or self.phone_key

    @property
    def digests(self) -> tuple[str, str, str]:
        """What is remembered of e-mail, phone and name to know the same person by."""
        return digest(self.email), digest(self.phone), digest(self.name.casefold() or None)


def person_of(row: Mapping[str, Any]) -> Person:
    """Who an appointment's row names."""
    email = (row.get("contact_email") or "").strip().lower()
    phone = (row.get("contact_phone") or "").strip()
    return Person(
        email=email if _EMAIL.fullmatch(email) else None,
        phone=phone if _PHONE.fullmatch(phone) else None,
        name=(row.get("contact_name") or "").strip(),
    )


def made_with(key: str) -> tuple[By, str]:
    """What a contact's key was made with: an e-mail address or a phone number."""
    by, _, value = key.partition(":")
    return By(by), value.partition(" ")[0]


def another_key(key: str) -> str:
    """A key for a contact whose person key another contact has had; never a person key."""
    person_key, _, number = key.partition(" ")
    return f"{person_key} {int(number or 1) + 1}"


def is_same_person(before: tuple[str, str, str], after: tuple[str, str, str]) -> bool:
    """Whether a booking still names whom it named: nothing but one detail was corrected.

    Args:
        before: digests of e-mail, phone and name, as they were.
        after: digests as they are.
    """
    if before[:2] == after[:2]:
        return any(after[:2])  # two people may share both; the contact is the same for both
    has_name = bool(after[2])
    kept = any(was and was == now for was, now in zip(before[:2], after[:2], strict=True))
    return kept and has_name and before[2] == after[2]
