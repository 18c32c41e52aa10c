"""Who booked, and whether it is still the same person."""

from typing import Any

import pytest

from zimun_sync.remotes.people import is_same_person, person_of


def _row(email: str | None, phone: str | None, name: str | None = "Zoë Ångström") -> dict[str, Any]:
    return {"contact_email": email, "contact_phone": phone, "contact_name": name}


_BEFORE = _row("zoe@example.com", "+436601234567")


def test_addresses_are_known_in_whatever_case() -> None:
    person = person_of(_row(" Zoe@Example.COM ", None))
    assert person.key == person.email_key == "email:zoe@example.com"


@pytest.mark.parametrize("email", ["n/a", "-", "", None, "zoe at example.com", "a@b@c"])
def test_what_is_no_address_makes_no_contact(email: str | None) -> None:
    assert person_of(_row(email, None)).key is None


@pytest.mark.parametrize("phone", ["0660 1234567", "12345", "+12", "+43660x"])
def test_a_number_that_could_be_anybodys_makes_no_contact(phone: str) -> None:
    assert person_of(_row(None, phone)).key is None


def test_without_an_address_the_number_is_the_key() -> None:
    assert person_of(_row(None, "+436601234567")).key == "phone:+436601234567"


@pytest.mark.parametrize(
    "after",
    [
        _BEFORE,
        _row("zoe@example.com", "+436601234567", "Zoe A."),  # nicknames are no other person
        _row("zoe@example.com", "+436607654321"),
        _row("zoe.new@example.com", "+436601234567"),
        _row("zoe@example.com", None),
    ],
)
def test_one_corrected_detail_leaves_the_person_the_same(after: dict[str, Any]) -> None:
    assert is_same_person(person_of(_BEFORE).digests, person_of(after).digests)


@pytest.mark.parametrize(
    "after",
    [
        _row("ben@example.com", "+436601234567", "Ben B."),  # a family shares a number
        _row("zoe.new@example.com", "+436607654321"),
        _row("ben@example.com", None),
        _row(None, None),
        _row("zoe.new@example.com", "+436601234567", None),
    ],
)
def test_more_than_one_makes_another_person(after: dict[str, Any]) -> None:
    assert not is_same_person(person_of(_BEFORE).digests, person_of(after).digests)
