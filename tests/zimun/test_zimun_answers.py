"""What of an answer may be repeated in a message."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.network.remarks import remark


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "page_size must be at most 100"}, "page_size must be at most 100"),
        ({"error": "invalid", "message": "no offset"}, "invalid; no offset"),
        ({"error": {"code": "E7", "message": "no offset"}}, "E7; no offset"),
        ({"error": "same", "message": "same"}, "same"),
        ({"title": "Bad", "detail": "worse"}, "worse; Bad"),
        ({"message": "two\n  lines\x1b[31m"}, "two lines[31m"),
        ({"message": "since 2026-11-20T09:00:00+01:00"}, "since 2026-11-20T09:00:00+01:00"),
        ({"message": 7}, ""),
        ({"other": "private"}, ""),
        (["message"], ""),
        (None, ""),
    ],
)
def test_a_remark_is_one_line_of_what_the_api_says(body: object, said: str) -> None:
    assert remark(msgspec.json.encode(body)) == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"message": "\xff"}'])
def test_a_body_that_is_no_json_says_nothing(body: bytes) -> None:
    assert remark(body) == ""


@pytest.mark.parametrize(
    "text",
    [
        "zoe@example.com is taken",
        "<zoe.uenal+x@mail.example.org>",
        "call +49 30 1234567",
        "call (030) 123-4567",
        "call 0301234567",
        "for Zoë Ünal",
        "for ZOË ÜNAL",
    ],
)
def test_a_remark_keeps_personal_data_to_itself(text: str) -> None:
    said = remark(msgspec.json.encode({"message": text}), private=("Zoë Ünal", "Zoë"))
    assert "…" in said
    for secret in ("zoe", "example", "1234567", "123-4567", "Ünal", "ÜNAL"):
        assert secret not in said


@given(st.text(), st.lists(st.text(min_size=3)))
def test_no_answer_breaks_a_remark(text: str, private: list[str]) -> None:
    said = remark(msgspec.json.encode({"message": text, "error": private}), private)
    assert len(said) <= 200
    assert said.isprintable()


@given(name=st.text(st.characters(categories=["L"]), min_size=3, max_size=30))
def test_a_value_that_was_sent_does_not_come_back(name: str) -> None:
    said = remark(msgspec.json.encode({"message": f"<{name}> is not welcome"}), private=(name,))
    assert said == "<…> is not welcome"
