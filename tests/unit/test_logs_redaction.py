"""Secrets and personal data are taken out of texts, and nothing else is."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.logs import Redactor

PLAIN = Redactor()
SURROUNDINGS = st.sampled_from(
    [
        "{}",
        "said {}",
        "({})",
        "'{}'",
        '"{}"',
        "x={}",
        "x: {}, then",
        "[{}]",
        "{},",
        "<{}>",
        "a {} b",
    ]
)
SECRETS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[]"), min_size=4, max_size=40
)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary",
        "authorization: canary",
        "proxy-authorization=canary",
        "{'Authorization': 'Digest canary'}",
        '{"headers": {"X-Api-Key": "canary"}}',
        "[(b'authorization', b'Bearer canary'), (b'cookie', b'sid=canary')]",
        "Cookie: a=canary; b=canary",
        "bearer canary.canary",
        "whsec_canary+/=",
        "eyJhbGciOiJIUzI1.eyJjYW5hcnki.canary",
        "postgresql://zimun:canary@db/zimun",
        "https://ana:can%40ary/canary@example.org/x",
        "https://x.org/?a=1&access_token=canary&b=2",
        "grant_type=client_credentials&client_secret=canary",
        "client_secret='canary canary'",
        '{"client_secret":"canary","client_id":"main"}',
        '{"body": "{\\"password\\": \\"canary\\"}"}',
        "{'contact_name': 'Canary Canary', 'contact_phone': None}",
        '{"notes": "canary said \\"hush\\" canary"}',
        'b\'{"contact_name": "canary"}\'',
        "input_value='canary, canary', input_type=str",
        "broken\nDETAIL:  Failing row contains (canary, 7).\nmore",
        "canary@example.org",
        "Ana <canary.x+tag@mail.example.co.uk>,",
        "to=canary%40example.org",
        "canary@bücher.example",
        "/customers/canary@example.org/bookings",
    ],
)
def test_a_secret_is_known_by_its_shape(text: str) -> None:
    shown = PLAIN.text(text)
    assert "canary" not in shown.lower()
    assert "[redacted]" in shown
    assert PLAIN.text(shown) == shown


@given(st.text(min_size=1), st.text(min_size=1))
def test_basic_credentials_are_known_by_what_they_encode(user: str, password: str) -> None:
    pair = f"{user}:{password}".encode(errors="replace")
    encoded = base64.b64encode(pair).decode()
    assert PLAIN.text(f"sent Basic {encoded} twice") == "sent Basic [redacted] twice"


@pytest.mark.parametrize(
    "number",
    [
        "+4917012345678",
        "+49 170 1234567",
        "+49 (0)30 123456",
        "+1 (415) 555-2671",
        "+1-(415)-555-2671",
        "+34 612 345 678",
        "+44 20 7946 0958",
        "%2B4917012345678",
        "004917012345678",
        "0049 170 1234567",
        "01701234567",
        "0170 1234567",
        "0170/1234567",
        "030 123456",
        "(030) 1234 5678",
        "06 12 34 56 78",
        "01-23-45-67-89",
        "020 7946 0958",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-555-0199",
    ],
)
@pytest.mark.parametrize("around", ["{}", "phone: {}", "tel:{}", "'{}'", '"{}",', "call {} now"])
def test_phone_numbers_are_taken_out(number: str, around: str) -> None:
    shown = PLAIN.text(around.format(number))
    assert not any(digit.isdigit() for digit in shown)


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), SURROUNDINGS)
def test_every_number_in_the_international_form_is_taken_out(number: str, around: str) -> None:
    assert PLAIN.text(around.format(number)) == around.format("[redacted]")


ADDRESSES = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[\w.%+-]{1,64}", fullmatch=True),
    st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,20}", fullmatch=True),
    st.sampled_from(["org", "example.co.uk", "museum", "рф"]),
)


@given(ADDRESSES, SURROUNDINGS)
def test_every_address_is_taken_out(address: str, around: str) -> None:
    shown = PLAIN.text(around.format(address))
    assert shown == around.format("[redacted]")


MOMENTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive bounds
    datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.builds(
        timezone, st.integers(-48, 56).map(lambda quarters: timedelta(minutes=15 * quarters))
    ),
)
HARMLESS = st.one_of(
    MOMENTS.map(datetime.isoformat),
    MOMENTS.map(str),
    MOMENTS.map(lambda moment: moment.strftime("%Y%m%dT%H%M%S%z")),
    MOMENTS.map(lambda moment: moment.strftime("%d/%b/%Y:%H:%M:%S %z")),
    MOMENTS.map(lambda moment: moment.strftime("%d-%m-%Y")),
    MOMENTS.map(lambda moment: moment.strftime("%H:%M:%S,%f")[:-3]),
    MOMENTS.map(lambda moment: str(moment.timestamp())),
    MOMENTS.map(lambda moment: str(int(moment.timestamp() * 1_000_000))),
    st.builds(
        "{:%Y%m%dT%H%M%S}-{}".format,
        MOMENTS,
        st.from_regex(r"[0-9a-f]{6}", fullmatch=True) | st.from_regex(r"[0-9]{6}", fullmatch=True),
    ),
    st.integers(min_value=0).map(str),
    st.integers(min_value=0).map("{:,}".format),
    st.floats(0, 1e9).map("{:.3f} s".format),
    st.uuids().map(str),
    st.uuids().map(lambda each: each.hex),
    st.integers(0, 10**32 - 1).map(lambda number: str(UUID(f"{number:032d}"))),
    st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds("[{}]:{}".format, st.ip_addresses(v=6), st.integers(1, 65535)),
    st.ip_addresses().map(lambda each: str(IPv4Address(each) if each.version == 4 else each)),
    st.builds("a_{:08d}".format, st.integers(0, 10**8 - 1)),
    st.builds("v{}.{}.{}".format, *[st.integers(0, 9999)] * 3),
)


@given(HARMLESS, SURROUNDINGS)
def test_times_ids_counts_and_addresses_of_machines_stay(harmless: str, around: str) -> None:
    text = around.format(harmless)
    assert PLAIN.text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Another process took over 'source:main' while this one was away.",
        "page 7 of main/appointments: 503 Service Unavailable, again in 2.5 s",
        "sources.main.client_secret: has no value; give it one or leave it out",
        "Basic settings are in effect; the bearer of this is fine",
        "postgresql://zimun@db.example.org/zimun",
        "https://api.zimun.online:8443/api/v1/appointments?page_token=abc&page_size=200",
        "3 records refused by crm. See `zimun-sync quarantine list`.",
        "10.0.0.12 - 192.168.100.200:8090 - 127.0.0.1:65535",
        "took 0.012345678 s, 1,234,567 records, 20261120T023000-012345",
        "2026-11-20 02:30:00 123456 records; 02:30:00 0 waiting",
        "status 404 after 120 s at 2026-11-20T02:30:00+13:00",
        'File "/usr/lib/python3.11/threading.py", line 1045, in _bootstrap_inner',
        "notes are never shown, nor is a phone or an email",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert PLAIN.text(text) == text


@given(SECRETS)
def test_a_known_secret_is_taken_out_however_it_is_spelt(secret: str) -> None:
    redactor = Redactor([secret])
    for spelling in (
        secret,
        repr(secret),
        repr(secret.encode()),
        json.dumps(secret),
        json.dumps({"x": [secret]}),
        quote(secret, safe=""),
        quote_plus(secret),
    ):
        bare = spelling.strip("'\"")
        assert "[redacted]" in redactor.text(f"<<{spelling}>>")
        assert len(bare) < 4 or bare not in redactor.text(f"<<{spelling}>>")


def test_a_webhook_secret_is_known_with_and_without_its_kind() -> None:
    redactor = Redactor(["whsec_MfKQ9r8GKYqrTwjU"])
    assert redactor.text("key MfKQ9r8GKYqrTwjU refused") == "key [redacted] refused"
    assert "MfKQ" not in redactor.text("key whsec_MfKQ9r8GKYqrTwjU refused")


def test_of_two_secrets_the_longer_one_is_taken_out_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh") == "[redacted]"


def test_a_value_too_short_to_tell_from_words_is_passed_over() -> None:
    assert Redactor(["", "a", "ab"]).text("a table") == "a table"


def test_values_of_any_kind_are_looked_into() -> None:
    class Odd:
        def __str__(self) -> str:
            return "canary@example.org"

    class Broken:
        def __str__(self) -> str:
            raise ValueError("canary-secret")

    found = Redactor(["canary-secret"]).value(
        {
            "count": 7,
            "none": None,
            "bytes": b"canary-secret \xff",
            "contact_name": "Canary",
            "nested": [{"Authorization": "x", "ok": ("canary@example.org",)}],
            "odd": Odd(),
            "broken": Broken(),
            "canary@example.org": 1,
        }
    )
    assert found == {
        "count": 7,
        "none": None,
        "bytes": "[redacted] \\xff",
        "contact_name": "[redacted]",
        "nested": [{"Authorization": "[redacted]", "ok": ["[redacted]"]}],
        "odd": "[redacted]",
        "broken": "<Broken: ValueError>",
        "[redacted]": 1,
    }


def test_something_endless_ends() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "…" in str(PLAIN.value(endless))


def test_nothing_can_steer_a_terminal() -> None:
    assert PLAIN.text("a\x1b[2Jb\rc\x9bd\te") == "a\ufffd[2Jb\ufffdc\ufffdd\te"


@pytest.mark.parametrize(
    "piece", ["a", "a.", "+1", "0", "0 ", "\\", "\"'", "a@", "://a:", "eyJaaaaaaaaa.", "415-", "x="]
)
def test_a_long_text_costs_no_more_than_its_length(piece: str) -> None:
    """One that cost its square would keep this test for minutes."""
    assert PLAIN.text(piece * (400_000 // len(piece)))


def test_addresses_are_what_the_standard_library_makes() -> None:
    for address in (IPv4Address("203.0.113.77"), IPv6Address("2001:db8::1")):
        assert PLAIN.text(f"from {address} at {datetime.now(UTC)}").startswith(f"from {address} at")
