"""Fields in texts, addresses and JSON: checked, encoded, and never able to break out."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.templates import FIELDS, Fields, check_template, fill_body, fill_url

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
#: A template's own words: what looks like a field and is none is refused before.
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.just("{reason}, {records}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def fields(**given: str | float | None) -> Fields:
    numbers = {"records": 3, "changed": None, "seconds": 1.5}
    return {name: name for name in FIELDS} | numbers | given


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org/{source}/{status}?x={reason}",
        "{ source } and {} and {0} and {{",
        '{"text": "{subject}: {reason}", "n": ["{records}", 1, null]}',
        "[]",
        "<tsRequest/>",
        "{source} failed",
    ],
)
def test_a_good_template_is_given_back(text: str) -> None:
    assert check_template(text) == text


@pytest.mark.parametrize("text", ["{sorce}", '{"a": "{Source}"}', "x{reason}y{_}"])
def test_an_unknown_field_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no field; there are event, hook, time"):
        check_template(text)


@pytest.mark.parametrize(
    "text", ['{"n": {records}}', '{"a": "b",}', "[1, 2", '{\n "a": NaN}', '["{reason}"']
)
def test_what_should_be_json_and_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'begins like JSON and is none.*"\{records\}"'):
        check_template(text)


def test_a_string_that_is_one_field_becomes_its_value() -> None:
    template = '{"n": "{records}", "none": "{changed}", "s": "{seconds}", "t": "{reason}"}'
    filled = json.loads(fill_body(template, fields(reason="12")))
    assert filled == {"n": 3, "none": None, "s": 1.5, "t": "12"}


def test_a_field_within_a_string_becomes_text_also_in_names() -> None:
    template = '{"{source}": ["{records} of {changed}", 1.0, true]}'
    assert json.loads(fill_body(template, fields())) == {"source": ["3 of ", 1.0, True]}


def test_plain_text_takes_fields_as_they_are() -> None:
    assert fill_body('{source}: "{reason}" {x}', fields(reason='"&')) == 'source: ""&" '


@given(template=JSON, reason=TEXT)
def test_no_reason_breaks_out_of_json(template: Any, reason: str) -> None:
    filled = json.loads(fill_body(json.dumps(template), fields(reason=reason)))

    def expected(value: Any) -> Any:
        if value == "{reason}, {records}":
            return f"{reason}, 3"
        if isinstance(value, list):
            return [expected(each) for each in value]
        return (
            {key: expected(each) for key, each in value.items()}
            if isinstance(value, dict)
            else value
        )

    assert filled == expected(template)


@given(reason=TEXT)
def test_no_reason_breaks_out_of_an_address(reason: str) -> None:
    parts = urlsplit(fill_url("https://example.org/a/{reason}/b?c={reason}", fields(reason=reason)))
    assert (parts.netloc, parts.fragment) == ("example.org", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "a", reason, "b"]
    assert unquote(parts.query) == f"c={reason}"
