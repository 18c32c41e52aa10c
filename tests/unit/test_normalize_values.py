"""Values of a wrong type are refused with code and field; prices are exact; phones E.164."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.normalize import Place, Places, Rules

SECRET = "Zoë Geheim +49 30 901820"


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        (
            {"contact_name": 5},
            "wrong-type",
            "Field 'contact_name' should be a string, but is a number.",
        ),
        (
            {"contact_email": True},
            "wrong-type",
            "Field 'contact_email' should be a string, but is a boolean.",
        ),
        ({"notes": [SECRET]}, "wrong-type", "Field 'notes' should be a string, but is an array."),
        (
            {"contact_phone": {"n": SECRET}},
            "wrong-type",
            "Field 'contact_phone' should be a string, but is an object.",
        ),
        (
            {"staff_id": 1.5},
            "wrong-type",
            "Field 'staff_id' should be a string, but is a number.",
        ),
        (
            {"appointment_id": {}},
            "wrong-type",
            "Field 'appointment_id' should be a string, but is an object.",
        ),
        (
            {"appointment_duration": SECRET},
            "wrong-type",
            (
                "Field 'appointment_duration' should be a whole number of at most 64 bits, but is "
                "a string."
            ),
        ),
        (
            {"appointment_duration": -1},
            "out-of-range",
            "Field 'appointment_duration' is not a plausible number of minutes.",
        ),
        (
            {"appointment_time": 1767225600},
            "wrong-type",
            "Field 'appointment_time' should be an ISO 8601 time, but is a number.",
        ),
        (
            {"appointment_time": SECRET},
            "bad-time",
            "Field 'appointment_time' is not an ISO 8601 time.",
        ),
        (
            {"updated_at": "2026-01-01T00:00:00"},
            "naive-time",
            "Field 'updated_at' is a time without an offset.",
        ),
        (
            {"appointment_time": None},
            "missing-time",
            "The appointment has no start time.",
        ),
        (
            {"price": SECRET},
            "wrong-type",
            "Field 'price' should be an object with amount and currency, but is a string.",
        ),
        (
            {"price": {"amount": [1]}},
            "wrong-type",
            "Field 'price.amount' should be a decimal number, but is an array.",
        ),
        (
            {"price": {"amount": SECRET}},
            "bad-decimal",
            "Field 'price.amount' is not a decimal number.",
        ),
        (
            {"price": {"currency": 978}},
            "wrong-type",
            "Field 'price.currency' should be a string, but is a number.",
        ),
    ],
)
def test_a_wrong_value_is_refused_without_showing_it(
    bench: Any, fields: dict[str, Any], code: str, message: str
) -> None:
    assert bench().refusal(**fields) == (code, message)


def test_a_wrong_flag_is_refused(bench: Any) -> None:
    assert bench("services").refusal(active="yes") == (
        "wrong-type",
        "Field 'active' should be true or false, but is a string.",
    )


# -- durations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "minutes"), [("0", 0), ("30", 30), ("30.0", 30), ("3e1", 30), ("5256000", 5256000)]
)
def test_durations(bench: Any, written: str, minutes: int) -> None:
    raw = bench().record(appointment_duration="#").replace(b'"#"', written.encode())

    assert bench().row(raw)["duration_minutes"] == minutes


@pytest.mark.parametrize(
    "written",
    ["30.5", "5256001", "9223372036854775808", "1e18", "1e999999999", "1e-999999999", "-0.5"],
)
def test_durations_that_are_refused(bench: Any, written: str) -> None:
    raw = bench().record(appointment_duration="#").replace(b'"#"', written.encode())

    assert bench().refusal(raw)[0] in {"wrong-type", "out-of-range"}


# -- prices ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("45", "45"),
        ("45.00", "45.00"),
        ('"45.00"', "45.00"),
        ("0.1", "0.1"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("-12.34", "-12.34"),
        ("0", "0"),
        ("-0.0", "0"),
        ("0e999999999", "0"),
        ("0e-999999999", "0"),
        ("1.500000", "1.5"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("99999999999999.9999000000000000000000000000", "99999999999999.9999"),
        ("null", None),
    ],
)
def test_prices_are_exact(bench: Any, written: str, amount: str | None) -> None:
    raw = bench().record(price={"amount": "#"}).replace(b'"#"', written.encode())

    found = bench().row(raw)["price_amount"]
    assert (None if found is None else str(found)) == amount


@pytest.mark.parametrize(
    "written",
    [
        "100000000000000",
        "0.00001",
        "1.00000000000000000000000000000000001",
        "1e999999999",
        "1e-999999999",
        '"Infinity"',
        '"NaN"',
        '"sNaN"',
    ],
)
def test_prices_that_no_column_can_hold_are_refused(bench: Any, written: str) -> None:
    raw = bench().record(price={"amount": "#"}).replace(b'"#"', written.encode())

    assert bench().refusal(raw) == (
        "out-of-range",
        "Field 'price.amount' needs more than 14 whole or 4 fractional digits.",
    )


@given(amount=st.decimals(min_value=-(10**13), max_value=10**13, places=4), as_text=st.booleans())
def test_any_price_keeps_its_value(bench: Any, amount: Decimal, as_text: bool) -> None:
    written = f'"{amount}"' if as_text else str(amount)
    raw = bench().record(price={"amount": "#"}).replace(b'"#"', written.encode())

    assert bench().row(raw)["price_amount"] == amount


# -- phones ---------------------------------------------------------------------------------

GERMANY = Places(Place(region="DE"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+49 30 901820", "+4930901820"),
        ("+1 (212) 555-0123", "+12125550123"),
        ("030/901820", "+4930901820"),
        ("030 901820 ext. 5", "030 901820 ext. 5"),
        ("+49 (0)30 901820", "+4930901820"),
        ("0049 30 901820", "+4930901820"),
        ("12", "12"),
        ("call me", "call me"),
        ("", ""),
        ("+0 123", "+0 123"),
    ],
)
def test_phones_are_e164_where_it_can_be_told(bench: Any, given: str, expected: str) -> None:
    assert bench(places=GERMANY).row(contact_phone=given)["contact_phone"] == expected


def test_a_national_number_without_a_region_stays_as_given(bench: Any) -> None:
    assert bench().row(contact_phone="030 901820")["contact_phone"] == "030 901820"


def test_the_location_knows_better_than_the_organization_and_the_rules(bench: Any) -> None:
    places = Places(Place(region="DE"), {"us": Place(region="US"), "bare": Place()})
    rules = Rules({}, {}, phone_region="FR")

    def phone(location: str | None, known: Places) -> str:
        at = bench(places=known, rules=rules)
        found: str = at.row(contact_phone="01 42 68 53 00", location_id=location)["contact_phone"]
        return found

    assert phone(None, Places()) == "+33142685300"
    assert phone("us", places) == "01 42 68 53 00"
    assert phone("us", places) == phone("bare", places)
    at = bench(places=places, rules=rules)
    assert at.row(contact_phone="212 555 2368", location_id="us")["contact_phone"] == "+12125552368"


@pytest.mark.parametrize("stream", ["staff", "locations"])
def test_staff_and_locations_have_phones_too(bench: Any, stream: str) -> None:
    assert bench(stream, places=GERMANY).row(phone="030 901820")["phone"] == "+4930901820"
    assert bench(stream, places=GERMANY).row()["phone"] is None
