"""The `promote` setting: what it may say, what is wrong with it, and the streams it makes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from zimun_sync.config import Config
from zimun_sync.config.promotions import free_name
from zimun_sync.config.showing import show
from zimun_sync.model import STREAMS, ColumnType
from zimun_sync.normalize import Promotion

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


def text(**promote: Any) -> str:
    """A configuration whose sources promote these, by their names."""
    common = {"client_id": "id", "client_secret": "s3cr3t-value"}
    sources = {name: common | {"promote": each} for name, each in promote.items()}
    return yaml.safe_dump({"sources": sources, "sinks": {}}, sort_keys=False)


def of_appointments(**columns: Any) -> str:
    return text(main={"appointments": columns})


def test_a_type_or_a_field_and_a_type(configured: Load) -> None:
    config = configured(
        of_appointments(party_size="integer", channel={"field": "Origin: Channel", "type": "text"})
    )
    assert config.sources["main"].rules.promote == {
        "appointments": {
            "party_size": Promotion("party_size", ColumnType.INTEGER),
            "channel": Promotion("Origin: Channel", ColumnType.TEXT),
        }
    }
    promoted = config.streams["appointments"].promoted
    assert [(each.name, each.type, each.personal) for each in promoted] == [
        ("party_size", ColumnType.INTEGER, True),
        ("channel", ColumnType.TEXT, True),
    ]
    assert config.streams["appointment_versions"].promoted == promoted
    assert config.streams["staff"] == STREAMS["staff"]


def test_without_promotions_every_stream_is_as_it_is(configured: Load) -> None:
    assert configured(of_appointments()).streams == STREAMS


def test_it_is_shown_as_a_file_would_have_it(configured: Load) -> None:
    first = configured(of_appointments(size="integer", channel={"field": "Ch", "type": "text"}))
    shown = yaml.safe_load(show(first))["sources"]["main"]["promote"]
    again = configured(text(main=shown))
    assert again.sources["main"].promote == first.sources["main"].promote


def test_an_environment_variable_gives_it(configured: Load) -> None:
    given = {"ZIMUN_SYNC_SOURCES__MAIN__PROMOTE": '{"staff": {"level": "integer"}}'}
    config = configured(of_appointments(), given)
    assert [each.name for each in config.streams["staff"].promoted] == ["level"]


def test_sources_make_one_table(configured: Load) -> None:
    config = configured(
        text(
            one={"staff": {"level": "integer", "team": "text"}},
            two={"staff": {"level": {"field": "rank", "type": "integer"}}},
        )
    )
    level, team = config.streams["staff"].promoted
    assert (level.name, team.name) == ("level", "team")
    assert "`level` or `rank`" in level.comment


@pytest.mark.parametrize(
    ("promote", "place", "said"),
    [
        (
            {"apointments": {"x": "text"}},
            "apointments",
            "no such stream (did you mean appointments?)",
        ),
        (
            {"availability": {"x": "text"}},
            "availability",
            "no such stream (there are organization,",
        ),
        (
            {"appointments": ["party_size"]},
            "appointments",
            "should give each column its type, such as party_size: integer; `zimun-sync fields`",
        ),
        (
            {"appointments": {"n": "int"}},
            "appointments.n",
            "instant, date, json (it is 'int'; did you mean integer?)",
        ),
        ({"appointments": {"n": "local_time"}}, "appointments.n", "should be one of text,"),
        ({"appointments": {"n": 7}}, "appointments.n", "should be a type (text, integer,"),
        ({"appointments": {"n": {"field": "m"}}}, "appointments.n", "should be a type (text,"),
        (
            {"appointments": {"n": {"field": "", "type": "text"}}},
            "appointments.n",
            "its field should be the source's name of it, as text",
        ),
        (
            {"appointments": {"xmin": "integer"}},
            "appointments.xmin",
            "PostgreSQL has a column of its own of that name in every table",
        ),
        (
            {"appointments": {"Party Size": "integer"}},
            "appointments.Party Size",
            "has letters, digits and '_', begins with a letter",
        ),
        ({"appointments": {"n" * 64: "text"}}, f"appointments.{'n' * 64}", "at most 63 characters"),
        ({"appointments": {"_seq": "text"}}, "appointments._seq", "begins with a letter"),
        (
            {"appointments": {"Notes": "text"}},
            "appointments.Notes",
            "appointments has a column of that name already",
        ),
        (
            {"appointments": {"valid_from": "instant"}},
            "appointments.valid_from",
            "appointments has a column of that name already",
        ),
        (
            {"appointments": {"size": "text", "Size": "text"}},
            "appointments.Size",
            "two columns may not differ in upper and lower case only",
        ),
    ],
)
def test_what_is_wrong(
    problems: Problems, promote: Mapping[str, Any], place: str, said: str
) -> None:
    [line] = problems(text(main=promote))
    assert f": sources.main.promote.{place}: " in line
    assert said in line


def test_a_field_that_is_a_column_already(problems: Problems) -> None:
    [line] = problems(of_appointments(state={"field": "status", "type": "text"}))
    assert "the field 'status' is in the column source_status already; leave it out" in line
    [line] = problems(of_appointments(cost={"field": "price", "type": "json"}))
    assert "the field 'price' is in the column price_amount already" in line


def test_a_field_in_two_columns(problems: Problems) -> None:
    [line] = problems(of_appointments(size="text", party={"field": "size", "type": "text"}))
    assert "promote.appointments.party: the field 'size' is in the column size already" in line


def test_two_sources_with_different_types(problems: Problems) -> None:
    [line] = problems(text(one={"staff": {"level": "integer"}}, two={"staff": {"level": "text"}}))
    assert (
        "sources.two.promote.staff.level: is text here, but source one has level as integer" in line
    )


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("party_size", "party_size"),
        ("Party Size", "Party_Size"),
        ("2nd", "field_2nd"),
        ("_seq", "seq"),
        ("notes", "source_notes"),
        ("größe", "gr_e"),
        ("李", "field"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_name_that_a_column_could_have(configured: Load, field: str, name: str) -> None:
    assert free_name("appointments", field, ()) == name
    promote = {name: {"field": field, "type": "text"}}
    if field != "notes":  # a column is made of that one anyway
        assert configured(of_appointments(**promote)).streams["appointments"].promoted


def test_names_that_are_there_are_not_given_again() -> None:
    used: list[str] = []
    for field in ("שם", "טלפון", "a-b", "a b", "Status", "xmin", "x" * 70, "x" * 80):
        used.append(free_name("appointments", field, used))
    lower = [name.lower() for name in used]
    assert len(set(lower)) == len(used)
    assert used[:4] == ["field", "field_2", "a_b", "a_b_2"]
    assert max(map(len, used)) <= 63
    assert not {"source_status", "xmin"} & set(lower)


def test_a_stream_without_prices_may_have_a_column_of_that_name(configured: Load) -> None:
    streams = configured(text(main={"staff": {"price": "json"}})).streams
    assert [column.name for column in streams["staff"].promoted] == ["price"]
