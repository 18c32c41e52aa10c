"""YAML as it is read here: 1.2's plain values, no name twice, a line for everything."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.config.tree import read
from zimun_sync.errors import ConfigError


def _read(folder: Path, text: str) -> Any:
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return read(file).values


def _refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _read(folder, text)
    return caught.value.message.removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("FALSE", False),
        ("12:30", "12:30"),
        ("2026-11-20", "2026-11-20"),
        ("0640", "0640"),
        ("0", 0),
        ("-17", -17),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("[1, a]", [1, "a"]),
    ],
)
def test_plain_values(tmp_path: Path, written: str, value: object) -> None:
    found = _read(tmp_path, f"x: {written}\n")["x"]

    assert found == value
    assert type(found) is type(value)


def test_one_mapping_can_stand_in_several_places(tmp_path: Path) -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: *b\nd: {<<: [*a, *b], y: 3}\n"

    both = {"x": 1, "y": 2}
    assert _read(tmp_path, text) == {"a": {"x": 1}, "b": both, "c": both, "d": {"x": 1, "y": 3}}


def test_names_are_text_however_they_look(tmp_path: Path) -> None:
    assert _read(tmp_path, "NO: 1\n5: 2\nyes: 3\n") == {"NO": 1, "5": 2, "yes": 3}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert _read(tmp_path, "\ufeffx: 1\n") == {"x": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "c.yaml:3: 'a' is there twice, first in line 1."),
        ("a: {b: 1, b: 2}\n", "c.yaml:1: 'b' is there twice, first in line 1."),
        ("a: [1\nb: 2\n", "c.yaml:2:2: is not valid YAML: expected ',' or ']', but got ':'."),
        (
            "a:\n\t- b\n",
            "c.yaml:2:1: is not valid YAML: found character '\\t' that cannot start any token.",
        ),
        (
            "a: 1\n--- \nb: 2\n",
            (
                "c.yaml:2:1: is not valid YAML: expected a single document in the stream, "
                "but found another document."
            ),
        ),
        ("[a]: 1\n", "c.yaml:1: a name should be plain text."),
        ("a: !vault x\n", "c.yaml:1: a value that starts with '!' needs quotes."),
        ("a: !!int x\n", "c.yaml:1: is not the number its tag says."),
        (
            "a: !!python/object:os.system x\n",
            "c.yaml:1: a value that starts with '!' needs quotes.",
        ),
        ("a: &a [*a]\n", "c.yaml: is nested too deeply, or refers to itself."),
        ("a: " + "[" * 2000, "c.yaml: is nested too deeply, or refers to itself."),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert _refusal(tmp_path, text) == expected


@pytest.mark.parametrize("start", ["*", "!<", "&a !", "&x &"])
def test_a_value_that_yaml_stumbles_over_is_not_repeated(tmp_path: Path, start: str) -> None:
    assert "hunter2" not in _refusal(tmp_path, f"secret: {start}hunter2 hunter2\n")


def test_aliases_cannot_blow_up_the_file(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert _refusal(tmp_path, "\n".join(lines)) == "c.yaml: has more than 20000 entries."


def test_each_setting_knows_its_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a:\n  b: 1\n  c:\n    - x\n    - {d: 1,\n       e: 2}\n")
    document = read(file)

    lines = [
        document.line(place) for place in [("a",), ("a", "b"), ("a", "c", 1), ("a", "c", 1, "e")]
    ]
    assert lines == [1, 2, 5, 6]
    assert document.line(("a", "missing")) == 1
    assert document.line(("a", "c", 7)) == 3
    assert document.line(()) == 1


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    values=st.dictionaries(
        st.from_regex("[a-z]{1,8}", fullmatch=True), _PLAIN, min_size=1, max_size=4
    )
)
def test_what_is_written_as_json_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    # JSON is YAML, and its text, numbers and names mean the same in both.
    assert _read(tmp_path_factory.getbasetemp(), json.dumps(values, ensure_ascii=False)) == values


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        values = _read(tmp_path_factory.getbasetemp(), text)
    except ConfigError:
        return
    assert isinstance(values, dict)
    assert yaml.safe_dump(values)
