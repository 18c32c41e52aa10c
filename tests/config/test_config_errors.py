"""A wrong configuration: one error that names file, line, setting, value and remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.config import Config, load
from zimun_sync.errors import ConfigError

GOOD = "sources:\n  main:\n    client_id: id\n    client_secret: s3cr3t-value\n"
FILE = "zimun-sync.yaml"

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("    page_sze: 5", "sources.main.page_sze: unknown setting (did you mean page_size?)"),
        ("    xyzzy: 5", "sources.main.xyzzy: unknown setting; correct or delete it"),
        (
            "    page_size: many",
            "sources.main.page_size: should be a whole number (it is 'many')",
        ),
        ("    page_size: 0", "sources.main.page_size: should be greater than 0 (it is 0)"),
        ("    page_size: 1.5", "sources.main.page_size: should be a whole number (it is 1.5)"),
        ("    page_size:", "sources.main.page_size: has no value; give it one or leave it out"),
        (
            "    allow_plain_http: maybe",
            "sources.main.allow_plain_http: should be true or false (it is 'maybe')",
        ),
        (
            "    page_size_parameter: true",
            "sources.main.page_size_parameter: should be text; put it in quotes (it is true)",
        ),
        (
            "    streams: appointments",
            "sources.main.streams: should be a list, such as [a, b] (it is 'appointments')",
        ),
        ("    streams: []", "sources.main.streams: should have at least 1 entries"),
        (
            "    streams: [staff, staff]",
            "sources.main.streams: names staff more than once; leave one",
        ),
        (
            "    streams: [staff, apointments]",
            (
                "sources.main.streams[1]: should be 'organization', 'locations', 'services', "
                "'staff', 'resources', 'appointments', 'holidays' or 'availability' "
                "(it is 'apointments')"
            ),
        ),
        (
            "    streams: [staff, availability]",
            (
                "sources.main.streams: has availability, which is asked for service by service; "
                "add services"
            ),
        ),
        (
            "    availability_days: 0",
            "sources.main.availability_days: should be at least 1 (it is 0)",
        ),
        (
            "    by_id: [availability]",
            (
                "sources.main.by_id[0]: should be 'organization', 'locations', 'services', "
                "'staff', 'resources' or 'appointments' (it is 'availability')"
            ),
        ),
        (
            "    fields: {availability: {date: day}}",
            (
                "sources.main.fields.availability: no such stream (there are appointments, "
                "locations, organization, resources, services, staff)"
            ),
        ),
        (
            "    paths: {appointments: bookings}",
            (
                "sources.main.paths.appointments: must be a plain path that starts with '/', such "
                "as /appointments (it is 'bookings')"
            ),
        ),
        (
            "    paths: /v2",
            "sources.main.paths: should be a section of `name: value` lines (it is '/v2')",
        ),
        (
            "    statuses: {checked_in: arrived}",
            (
                "sources.main.statuses.checked_in: should be 'held', 'scheduled', 'confirmed', "
                "'completed', 'no_show', 'cancelled' or 'other' (it is 'arrived')"
            ),
        ),
        (
            "    fields: {appointments: {note: x}}",
            "sources.main.fields.appointments.note: no such column (did you mean notes?)",
        ),
        (
            "    fields: {appointment: {notes: x}}",
            "sources.main.fields.appointment: no such stream (did you mean appointments?)",
        ),
        (
            "    phone_region: Germany",
            (
                "sources.main.phone_region: should be a two-letter country code (ISO 3166-1), such "
                "as DE (it is 'Germany')"
            ),
        ),
    ],
)
def test_a_wrong_setting_of_a_source(problems: Problems, addition: str, expected: str) -> None:
    assert problems(f"{GOOD}{addition}\n") == [f"{FILE}:5: {expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{GOOD}sinsk: {{}}\n",
            f"{FILE}:5: sinsk: unknown setting (did you mean sinks?)",
        ),
        (
            f"{GOOD}frequency: nightly\n",
            (
                f"{FILE}:5: frequency: unknown setting (there are state, sources, sinks, sync, "
                "deletions, server, schedule, hooks, alerts, retention, privacy, log)"
            ),
        ),
        (
            f"state: mysql://db\n{GOOD}",
            (
                f"{FILE}:1: state: should be sqlite:///path/to/state.db or "
                "postgresql://user@host/database (it is 'mysql://db')"
            ),
        ),
        (
            "state: sqlite:///x.db\n",
            f"{FILE}:1: sources: is required; add it, or set ZIMUN_SYNC_SOURCES",
        ),
        (
            "sources:\n  main:\n    client_id: x\n",
            (
                f"{FILE}:2: sources.main.client_secret: is required; add it, or set "
                "ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET"
            ),
        ),
        (
            GOOD.replace("main", "Main"),
            (
                f"{FILE}:2: sources.Main: a name has lower-case letters, digits, '-' and '_', and "
                "starts with a letter"
            ),
        ),
        (
            "sources: [main]\n",
            f"{FILE}:1: sources: should be a section of `name: value` lines",
        ),
        (
            f"{GOOD}log: {{level: loud}}\n",
            f"{FILE}:5: log.level: should be 'debug', 'info', 'warning' or 'error' (it is 'loud')",
        ),
        (
            f"{GOOD}sync: {{sink_patience: -1}}\n",
            f"{FILE}:5: sync.sink_patience: should be at least 0 (it is -1)",
        ),
        (
            f"{GOOD}sinks: 7\n",
            f"{FILE}:5: sinks: should be a section of `name: value` lines (it is 7)",
        ),
        (
            f"{GOOD}sinks: {{a: 7}}\n",
            f"{FILE}:5: sinks.a: should be a section of `name: value` lines (it is 7)",
        ),
    ],
)
def test_a_wrong_setting_of_the_file(problems: Problems, text: str, expected: str) -> None:
    assert problems(text) == [expected]


# -- sinks ----------------------------------------------------------------------------------


def test_an_unknown_connector_is_told_with_those_installed(problems: Problems, crm: None) -> None:
    (line,) = problems(f"{GOOD}sinks:\n  desk: {{type: test-cmr}}\n")

    assert line.startswith(f"{FILE}:6: sinks.desk.type: There is no connector named 'test-cmr'.")
    assert "Did you mean 'test-crm'?" in line
    assert "Installed connectors:" in line


def test_a_connector_whose_library_is_missing_says_what_to_install(
    problems: Problems, crm: None
) -> None:
    (line,) = problems(f"{GOOD}sinks:\n  desk: {{type: test-broken}}\n")

    assert "needs the Python package 'crm_vendor_sdk'" in line
    assert "pip install 'zimun-sync[test-broken]'" in line


def test_a_sink_without_a_type(problems: Problems) -> None:
    assert problems(f"{GOOD}sinks:\n  desk: {{path: x}}\n") == [
        f"{FILE}:6: sinks.desk.type: is required: the name of a connector, such as duckdb"
    ]


def test_a_connectors_own_settings_are_told_alike(problems: Problems, crm: None) -> None:
    assert problems(
        f"{GOOD}sinks:\n  desk:\n    type: test-crm\n    api_kee: x\n"
        "    limits:\n      per_second: 0\n    schema: 5\n"
    ) == [
        (
            f"{FILE}:6: sinks.desk.api_key: is required; add it, or set "
            "ZIMUN_SYNC_SINKS__DESK__API_KEY"
        ),
        f"{FILE}:8: sinks.desk.api_kee: unknown setting (did you mean api_key?)",
        f"{FILE}:10: sinks.desk.limits.per_second: should be greater than 0 (it is 0)",
        f"{FILE}:11: sinks.desk.schema: should be text; put it in quotes (it is 5)",
    ]


def test_a_kind_of_value_that_only_a_connector_has(problems: Problems, crm: None) -> None:
    (line,) = problems(f"{GOOD}sinks:\n  a: {{type: test-crm, api_key: k, since: 2026-13-01}}\n")

    assert line.startswith(f"{FILE}:6: sinks.a.since: should be a valid date")


def test_a_value_of_no_alternative_is_told_once_with_all_of_them(
    problems: Problems, crm: None
) -> None:
    assert problems(f"{GOOD}sinks:\n  a: {{type: test-crm, api_key: k, size: big}}\n") == [
        f"{FILE}:6: sinks.a.size: should be a whole number or should be 'auto' (it is 'big')"
    ]


def test_a_section_that_is_one_of_two_choices_is_placed(problems: Problems, crm: None) -> None:
    text = f"{GOOD}sinks:\n  a: {{type: test-crm, api_key: k, tags: {{\n    names: 5}}}}\n"

    assert f"{FILE}:7: sinks.a.tags.names: should be a list, such as [a, b] (it is 5)" in problems(
        text
    )


def test_an_item_of_a_list_that_came_as_json_is_placed(problems: Problems, crm: None) -> None:
    text = f"{GOOD}sinks:\n  a: {{type: test-crm, api_key: k, lists: '[\"x\", 5]'}}\n"

    assert problems(text) == [
        f"{FILE}:6: sinks.a.lists[1]: should be text; put it in quotes (it is 5)"
    ]


# -- all at once ----------------------------------------------------------------------------


def test_every_problem_is_told_in_one_error_in_the_order_of_lines(configured: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(f"{GOOD}    page_size: x\n    read_timeout: 0\nsinks: {{a: {{type: dukdb}}}}\n")

    head, *lines = caught.value.message.splitlines()
    assert head == "The configuration has 3 problems:"
    assert [line.split(": ")[1] for line in lines] == [
        "sources.main.page_size",
        "sources.main.read_timeout",
        "sinks.a.type",
    ]
    assert "docs/configuration.md" in caught.value.hint


def test_messages_speak_of_settings_and_not_of_pydantic(problems: Problems, crm: None) -> None:
    told = "\n".join(
        problems(
            f"{GOOD}    page_size: x\n    paths: 1\nsinks: {{a: {{type: test-crm}}}}\nlog: 3\n"
        )
    )

    for word in ("pydantic", "Input", "validation", "type=", "http"):
        assert word not in told


def _mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = ["main", "type", "paths", "staff", "streams", "fields", "client_id", "page_size_file"]
    return st.dictionaries(st.sampled_from(known) | st.text(max_size=4), values, max_size=4)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | _mappings(inner), max_leaves=6)
_SECTIONS = _mappings(_VALUES | _mappings(_VALUES) | st.just({"type": "csv"}))


@given(
    st.dictionaries(st.sampled_from(["state", "sources", "sinks", "sync", "log", "x"]), _SECTIONS)
)
def test_any_structure_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any-structure.yaml"
    file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(file, {})

    assert caught.value.message.startswith((str(file), "The configuration has"))


# -- files that are no configuration --------------------------------------------------------


def _message(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert _message(tmp_path / "x.yaml") == f"{tmp_path}/x.yaml: there is no such file."


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert _message(tmp_path) == f"{tmp_path}: cannot be read: Is a directory."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "x.yaml: is empty."),
        (b"# only a comment\n", "x.yaml: is empty."),
        (b"- a list\n", "x.yaml:1: should be sections such as `sources:` and `sinks:`."),
        (b"a: 1\nb: \xff\n", "x.yaml:2: is not UTF-8 text."),
        (b"a: 1\nb: \x01\n", "x.yaml:2: holds a control character."),
        (b"#" * 1024 * 1025, "x.yaml: is larger than 1 MiB, so it is no configuration."),
    ],
)
def test_content_that_is_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_bytes(content)

    assert _message(Path("x.yaml")) == expected


def test_settings_that_contradict_each_other_are_told_by_their_section(problems: Problems) -> None:
    [line] = problems(
        f"{GOOD}sinks:\n  desk: {{type: csv, path: out, delimiter: ',', decimal_separator: ','}}\n"
    )
    assert line.startswith(f"{FILE}:6: sinks.desk:")


def test_a_contradiction_shows_no_secret(problems: Problems) -> None:
    [line] = problems(
        f"{GOOD}sinks:\n  crm:\n    type: hubspot\n    start_from: now\n"
        "    token: pat-s3cr3t\n    client_id: someone\n"
    )
    assert "sinks.crm:" in line
    assert "s3cr3t" not in line
