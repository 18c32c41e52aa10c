"""Webhook signatures: what is taken, what is refused and why, and nothing else ever."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pytest
import standardwebhooks
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.config.serving import WebhookSettings
from zimun_sync.zimun import SignatureRefused, Verifier, fresh_secret, usable_secret, verifier

NOW = 1_780_000_000
OLD_KEY, KEY = b"o" * 32, b"k" * 24
BODY = b'{"type": "appointment.updated"}'
Answer = tuple[str, int | None] | str


def whsec(key: bytes) -> str:
    return "whsec_" + b64encode(key).decode()


def signature(key: bytes, name: bytes, stamp: bytes, body: bytes) -> bytes:
    made = hmac.digest(key, name + b"." + stamp + b"." + body, "sha256")
    return b"v1," + b64encode(made)


def signed(
    body: bytes = BODY, *, key: bytes = KEY, name: bytes = b"msg_1", sent: object = NOW
) -> dict[bytes, bytes]:
    stamp = str(sent).encode()
    return {
        b"webhook-id": name,
        b"webhook-timestamp": stamp,
        b"webhook-signature": signature(key, name, stamp, body),
    }


def answer(verifier: Verifier, headers: Mapping[bytes, bytes], body: bytes = BODY) -> Answer:
    try:
        found = verifier.verify(headers, body)
    except SignatureRefused as refused:
        return refused.code
    return found.event_id, found.sent_at


def standard(*keys: bytes, now: float = NOW) -> Verifier:
    return verifier(WebhookSettings(), [whsec(key) for key in keys or (KEY,)], lambda: now)


def test_a_signed_event_has_its_id_and_time() -> None:
    assert answer(standard(), signed()) == ("msg_1", NOW * 1_000_000)


def test_bytes_that_are_no_text_can_be_signed_too() -> None:
    body = b"\xff\x00\xfe"
    assert answer(standard(), signed(body), body) == ("msg_1", NOW * 1_000_000)


@pytest.mark.parametrize("key", [OLD_KEY, KEY])
def test_while_secrets_are_rotated_each_of_them_is_good(key: bytes) -> None:
    assert answer(standard(KEY, OLD_KEY), signed(key=key)) == ("msg_1", NOW * 1_000_000)
    assert answer(standard(KEY), signed(key=OLD_KEY)) == "wrong-signature"


def test_one_good_signature_among_several_is_enough() -> None:
    headers = signed()
    good = headers[b"webhook-signature"]
    headers[b"webhook-signature"] = b"v1,AAAA v2,what v1a,%b nonsense %b" % (good, good)
    assert answer(standard(), headers) == ("msg_1", NOW * 1_000_000)


@pytest.mark.parametrize("header", sorted(signed()))
def test_a_header_that_is_missing_or_empty(header: bytes) -> None:
    assert answer(standard(), {k: v for k, v in signed().items() if k != header}) == (
        "missing-signature"
    )
    assert answer(standard(), signed() | {header: b""}) == "missing-signature"


def test_a_hint_is_given_only_where_the_receiver_can_do_something() -> None:
    with pytest.raises(SignatureRefused) as caught:
        standard().verify({}, BODY)
    assert caught.value.hint == ""


@pytest.mark.parametrize("stamp", [b"now", b"1.5", b"-1", b"1e9", b"9" * 40, b" 1", b"\xd9\xa1"])
def test_a_time_that_is_none(stamp: bytes) -> None:
    headers = signed() | {b"webhook-timestamp": stamp}
    headers[b"webhook-signature"] = signature(KEY, b"msg_1", stamp, BODY)
    assert answer(standard(), headers) == "malformed-timestamp"


@pytest.mark.parametrize("given", [b"v1", b"v1,", b"v2,AAAA", b"v1,?", b"\xff\xfe", b", ,", b" "])
def test_a_signature_that_is_none(given: bytes) -> None:
    assert answer(standard(), signed() | {b"webhook-signature": given}) == "malformed-signature"


def test_a_good_signature_with_something_in_it_is_none() -> None:
    good = signed()[b"webhook-signature"]
    given = good[:9] + b"?" + good[9:]
    assert answer(standard(), signed() | {b"webhook-signature": given}) == "malformed-signature"


@pytest.mark.parametrize(
    "changed",
    [
        {b"webhook-id": b"msg_2"},
        {b"webhook-timestamp": str(NOW + 1).encode()},
        {b"webhook-signature": b"v1," + b64encode(b"\0" * 32)},
        {b"webhook-signature": b"v1,AAAA"},
    ],
)
def test_whatever_is_changed_breaks_the_signature(changed: dict[bytes, bytes]) -> None:
    assert answer(standard(), signed() | changed) == "wrong-signature"
    assert answer(standard(), signed(), BODY + b" ") == "wrong-signature"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (NOW - 300, ("msg_1", (NOW - 300) * 1_000_000)),
        (NOW + 300, ("msg_1", (NOW + 300) * 1_000_000)),
        (NOW - 301, "too-old"),
        (NOW + 301, "too-new"),
    ],
)
def test_the_window_is_open_to_both_sides(sent: int, expected: Answer) -> None:
    assert answer(standard(), signed(sent=sent)) == expected


def test_a_wrong_clock_is_told_in_seconds_but_not_to_strangers() -> None:
    with pytest.raises(SignatureRefused, match="612 s behind our clock") as caught:
        standard(now=NOW + 612).verify(signed(), BODY)
    assert "clock" in caught.value.hint
    with pytest.raises(SignatureRefused, match="660 s ahead of our clock"):
        standard(now=NOW - 660).verify(signed(), BODY)
    assert answer(standard(now=NOW + 612), signed(key=OLD_KEY)) == "wrong-signature"


@pytest.mark.parametrize("name", [b"x" * 201, b"caf\xc3\xa9", b"a\tb"])
def test_an_id_that_no_key_should_hold_is_stood_in_for_by_its_hash(name: bytes) -> None:
    shown = f"sha256:{hashlib.sha256(name).hexdigest()}"
    assert answer(standard(), signed(name=name)) == (shown, NOW * 1_000_000)


# -- one header ---------------------------------------------------------------------------

PLAIN_SECRET = "a plain secret of some length"


def plain(**settings: object) -> Verifier:
    given = {"scheme": "hmac", "header": "X-Zimun-Signature"} | settings
    return verifier(WebhookSettings.model_validate(given), [PLAIN_SECRET], lambda: NOW)


@pytest.mark.parametrize(
    ("settings", "write"),
    [
        ({}, lambda made: made.hex()),
        ({}, lambda made: made.hex().upper()),
        ({"prefix": "sha256="}, lambda made: f"sha256={made.hex()}"),
        ({"encoding": "base64"}, lambda made: b64encode(made).decode()),
    ],
)
def test_one_header_with_the_hash_of_the_body(
    settings: dict[str, object], write: Callable[[bytes], str]
) -> None:
    made = write(hmac.digest(PLAIN_SECRET.encode(), BODY, "sha256")).encode()
    headers = {b"x-zimun-signature": made}
    same_body_same_id = (hashlib.sha256(BODY).hexdigest(), None)
    assert answer(plain(**settings), headers) == same_body_same_id
    assert answer(plain(**settings), headers, BODY + b" ") == "wrong-signature"
    assert answer(plain(**settings), {}) == "missing-signature"
    assert answer(plain(**settings), {b"x-zimun-signature": b"?"}) == "malformed-signature"


def test_the_prefix_has_to_be_there() -> None:
    made = hmac.digest(PLAIN_SECRET.encode(), BODY, "sha256").hex().encode()
    assert answer(plain(prefix="sha256="), {b"x-zimun-signature": made}) == "malformed-signature"
    of_base64 = plain(prefix="sha256=", encoding="base64")
    assert answer(of_base64, {b"x-zimun-signature": b64encode(made)}) == "malformed-signature"


# -- secrets ------------------------------------------------------------------------------


def test_secrets_are_decoded_with_and_without_padding() -> None:
    for key in (b"k" * 24, b"k" * 25, b"k" * 26):
        assert usable_secret(whsec(key), "standard") == key
        assert usable_secret(whsec(key).rstrip("="), "standard") == key
    assert usable_secret(PLAIN_SECRET, "hmac") == PLAIN_SECRET.encode()
    assert len(usable_secret("\ud800" * 8, "hmac")) == 24  # as a setting's bytes are read


@pytest.mark.parametrize(
    ("secret", "scheme", "said"),
    [
        ("bXkgc2VjcmV0IHdpdGhvdXQgYSBwcmVmaXg=", "standard", "is not whsec_ followed by base64"),
        ("whsec_s3cret-but?not!base64", "standard", "is not whsec_ followed by base64"),
        ("whsec_schlüsselschlüsselschlüssel", "standard", "is not whsec_ followed by base64"),
        (whsec(b"s3cret"), "standard", "has 6 bytes, where 24 are needed"),
        ("whsec_", "standard", "has 0 bytes"),
        ("s3cret", "hmac", "has 6 bytes"),
    ],
)
def test_a_bad_secret_is_told_without_showing_it(
    secret: str, scheme: Literal["standard", "hmac"], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        usable_secret(secret, scheme)
    assert "webhooks secret" in str(caught.value)
    assert secret == "whsec_" or secret.removeprefix("whsec_") not in str(caught.value)
    with pytest.raises(ValueError, match=said):
        verifier(WebhookSettings(scheme=scheme), [secret])


def test_printing_what_verifies_shows_no_secret() -> None:
    shown = f"{standard()!r} {plain()!r}"
    assert "kkkk" not in shown
    assert PLAIN_SECRET not in shown


def test_a_fresh_secret_is_good_for_both_schemes_and_new_each_time() -> None:
    made = {fresh_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(usable_secret(each, "standard")) for each in made} == {32}
    assert all(usable_secret(each, "hmac") for each in made)


# -- laws ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """What a sender sends, by the reference implementation."""

    secret: str
    name: str
    sent: int
    body: str

    @property
    def headers(self) -> dict[str, str]:
        made = standardwebhooks.Webhook(self.secret).sign(
            self.name, datetime.fromtimestamp(self.sent, UTC), self.body
        )
        return {
            "webhook-id": self.name,
            "webhook-timestamp": str(self.sent),
            "webhook-signature": made,
        }


messages = st.builds(
    Message,
    secret=st.binary(min_size=24, max_size=64).map(whsec),
    name=st.text("abcXYZ019_-", min_size=1, max_size=40),
    sent=st.integers(NOW - 600, NOW + 600),
    body=st.text(max_size=200).filter(lambda text: text.isprintable()).map(json.dumps),
)
kinds_of_damage = st.sampled_from(["none", "body", "id", "time", "signature", "secret"])


@given(messages, kinds_of_damage)
def test_it_agrees_with_the_reference_implementation(message: Message, damage: str) -> None:
    headers, body, secret = message.headers, message.body, message.secret
    match damage:
        case "body":
            body += " "
        case "id":
            headers["webhook-id"] += "x"
        case "time":
            headers["webhook-timestamp"] = str(message.sent + 1)
        case "signature":
            headers["webhook-signature"] = f"v1,{b64encode(b'z' * 32).decode()}"
        case "secret":
            secret = whsec(b"another secret of some size")
    with time_machine.travel(NOW, tick=False):
        try:
            standardwebhooks.Webhook(secret).verify(body, headers)
            expected = True
        except standardwebhooks.WebhookVerificationError:
            expected = False
        ours = verifier(WebhookSettings(), [secret])
        raw = {name.encode(): value.encode() for name, value in headers.items()}
        assert isinstance(answer(ours, raw, body.encode()), tuple) == expected


values = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"v1,", b"v1,,", b"v1,A", b" ", b"v1,\xff", b"1780000000", b"0" * 12]),
)
any_headers = st.dictionaries(
    st.sampled_from([*sorted(signed()), b"x-signature", b"other"]), values, max_size=5
)


@given(any_headers, st.binary(max_size=100))
def test_whatever_comes_is_refused_with_a_code_and_nothing_else_happens(
    headers: dict[bytes, bytes], body: bytes
) -> None:
    for settings in (
        WebhookSettings(),
        WebhookSettings(scheme="hmac"),
        WebhookSettings(scheme="hmac", encoding="base64", prefix="v1,"),
    ):
        with pytest.raises(SignatureRefused) as caught:
            verifier(settings, [fresh_secret()], lambda: NOW).verify(headers, body)
        assert caught.value.code
        assert caught.value.message


@given(st.text(max_size=60), st.sampled_from(["standard", "hmac"]))
def test_any_text_is_a_secret_or_a_value_error(
    text: str, scheme: Literal["standard", "hmac"]
) -> None:
    with suppress(ValueError):
        assert len(usable_secret(text, scheme)) >= 24
