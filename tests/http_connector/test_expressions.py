"""Templates and expressions: what they give, and what is said of those that are wrong."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from zimun_sync.remotes.expressions import (
    ExpressionError,
    compile_expression,
    compile_template,
    names_used,
)

START = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def rendered(text: str, **names: Any) -> Any:
    return compile_template(text).render(names)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain { text } % }", "plain { text } % }"),
        ("{{ number }}", 5),
        (" {{ number }}\n", 5),
        ("{{ number }}.", "5."),
        ("{{ nothing }}", None),
        ("a{{ nothing }}b", "ab"),
        ("{{ [number, 'x'] }}", [5, "x"]),
        ("{{ dict(row, b=number) }}", {"a": 1, "b": 5, "items": "own"}),
        ("{{ rows | map(attribute='a') }}", [1, 2]),
        ("{{ row.items }}", "own"),
        ("{{ rows[0].items }}", None),
        ("{% for each in rows %}{{ each.a }};{% endfor %}", "1;2;"),
        ("{{ '}}' }}", "}}"),
    ],
)
def test_a_lone_expression_gives_its_value_and_anything_else_text(text: str, value: Any) -> None:
    names = {
        "number": 5,
        "nothing": None,
        "row": {"a": 1, "items": "own"},
        "rows": [{"a": 1}, {"a": 2}],
    }
    assert compile_template(text).render(names) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("START | iso", "2026-10-25T00:30:00Z"),
        ("START | local('Europe/Vienna') | iso", "2026-10-25T02:30:00"),
        ("START | local('Europe/Vienna') | date", "2026-10-25"),
        ("START | local('Europe/Vienna') | time", "02:30:00"),
        ("START | epoch_ms", 1_792_888_200_000),
        ("START | epoch_ms | instant == START", True),
        ("START | strftime('%d.%m.%Y')", "25.10.2026"),
        ("day | iso", "2026-11-20"),
        ("'2026-10-25T02:30:00+02:00' | instant == START", True),
        ("'25.10.2026 00:30' | instant('%d.%m.%Y %H:%M') == START", True),
        ("{'year': 2026, 'month': 10, 'day': 25, 'minute': 30} | instant == START", True),
        ("'0660 1234567' | e164('AT')", "+436601234567"),
        ("'+43 (660) 123 45 67' | e164", "+436601234567"),
        ("'call me' | e164", None),
        ("'+43 660-1' | digits", "436601"),
        ("{'at': START, 'price': price} | json", '{"at":"2026-10-25T00:30:00Z","price":49.5}'),
        ("none | iso", None),
        ("none | local('Europe/Vienna') | date", None),
    ],
)
def test_filters(expression: str, value: Any) -> None:
    names = {"START": START, "day": date(2026, 11, 20), "price": Decimal("49.50")}
    assert compile_expression(expression).render(names) == value


def test_what_comes_from_a_record_is_percent_encoded_in_a_path() -> None:
    path = compile_template("/items/{{ id }}?x={{ nothing }}", quoted=True)
    assert path.render({"id": "../a b?&é", "nothing": None}) == "/items/..%2Fa%20b%3F%26%C3%A9?x="
    assert compile_template("{{ id }}", quoted=True).render({"id": 7}) == "7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ status", "`{{ status` at character 1"),
        ("ok {{ a }}, {{ b | }}", "`{{ b | }}` at character 13"),
        ("{{ a b }}", "more after its end"),
        ("{{ a | isoo }}", "isoo"),
        ("{% if a %}", "line 1"),
        ("}} {{ {{", "{{ {{"),
    ],
)
def test_a_template_that_is_wrong_says_where(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_template(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ contact | iso }}",
        "{{ contact + 1 }}",
        "{{ contact | local('Nowhere') }}",
        "{{ contact | instant }}",
        "{{ missing }}",
        "x {{ missing.name }}",
        "{{ contact.__class__ }}",
        "{{ contact | strftime('%d') }}",
    ],
)
def test_a_template_that_cannot_be_filled_in_tells_no_value(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        rendered(text, contact="Ana Ruiz")
    assert text in str(raised.value)
    assert "Ruiz" not in str(raised.value)


def test_what_an_answer_lacks_counts_as_nothing() -> None:
    names = {"body": {"id": 7}}
    for expression, value in (
        ("body.errors[0].code == 'X'", False),
        ("body.errors[0].code", None),
        ("(body.errors or [{'code': 'none'}])[0].code", "none"),
        ("not body.error", True),
        ("body.start | instant", None),
        ("{{ body.id }}", 7),
    ):
        assert compile_expression(expression, strict=False).render(names) == value


def test_the_names_that_a_template_uses_are_known_before_it_is_filled_in() -> None:
    text = """{% for each in rows %}{{ each.x }}{% endfor %}{{ service.name.upper() }}
    {{ staff['name'] }} {{ constants.rooms[room_id].id }} {{ range(3) }} {{ f.get('a', b) }}"""
    expected = {"rows", "service.name", "staff.name", "constants.rooms", "room_id", "f", "b"}
    assert names_used(text) == expected


def test_a_template_reaches_nothing_but_its_names() -> None:
    for text in ("{{ ''.__class__.__mro__ }}", "{{ rows.append(1) }}", "{{ lipsum() }}"):
        with pytest.raises(ExpressionError):
            rendered(text, rows=[])
