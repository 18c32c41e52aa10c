"""What a configuration says of fields, and the values that come of it."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from zimun_sync.remotes.mapping import Defaults, Write
from zimun_sync.remotes.names import add_references, names_of
from zimun_sync.remotes.plan import plan_of
from zimun_sync.remotes.settings import RemoteSettings

_DEFAULTS = Defaults(
    contact={"name": "contact_name", "source": {"value": "zimun"}},
    appointment={
        "title": "{{ service.name or 'Appointment' }} with {{ staff.name }}",
        "starts": {"from": "starts_at", "write": "always"},
        "outcome": {"from": "status", "values": {"cancelled": "CANCELED", "*": "SCHEDULED"}},
    },
    owner_field="owner_id",
)
_START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)


class _Lookup:
    """Knows one service."""

    def rows(
        self, source: str, stream: str, keys: Collection[str], /
    ) -> dict[str, Mapping[str, Any]]:
        assert source == "main"
        known = {"s_cut": {"name": "Cut"}} if stream == "services" else {}
        return {key: known[key] for key in keys if key in known}


def _names(**row: Any) -> dict[str, Any]:
    ordinary = {"contact_name": "Zoë Ångström", "status": "confirmed", "starts_at": _START}
    names = names_of("main", "main/a_1", {**ordinary, "service_id": "s_cut", **row})
    add_references("main", [names], _Lookup())
    return names


def _values(section: dict[str, Any] | None = None, **row: Any) -> dict[str, Any]:
    settings = RemoteSettings.model_validate(
        {"start_from": "all", "appointment": {"fields": section or {}}}
    )
    return plan_of(settings, _DEFAULTS).appointment.values(_names(**row))


def test_the_connectors_own_mapping() -> None:
    assert _values() == {"title": "Cut with ", "starts": _START, "outcome": "SCHEDULED"}


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"title": "service.name"}, "title", "Cut"),
        ({"title": "{{ contact_name | upper }}"}, "title", "ZOË ÅNGSTRÖM"),
        ({"first": "first_name"}, "first", "Zoë"),
        ({"last": "last_name"}, "last", "Ångström"),
        ({"ours": "{{ key }}"}, "ours", "main/a_1"),
        ({"minutes": {"value": 45}}, "minutes", 45),
        ({"is_gone": "{{ cancelled }}"}, "is_gone", False),
        ({"when": "{{ starts_at }}"}, "when", _START),
        ({"outcome": {"from": "status", "values": {"confirmed": "YES"}}}, "outcome", "YES"),
    ],
)
def test_a_field_of_the_configuration(fields: dict[str, Any], name: str, value: Any) -> None:
    assert _values(fields)[name] == value


def test_a_field_can_be_taken_out() -> None:
    assert "title" not in _values({"title": None})


def test_empty_values_are_left_out_unless_they_clear() -> None:
    fields = {"notes": "notes", "room": {"from": "resource.name", "null": "clear"}}
    assert _values(fields) == {**_values(), "room": None}


def test_a_replaced_field_is_written_when_the_connectors_was() -> None:
    settings = RemoteSettings.model_validate(
        {
            "start_from": "all",
            "appointment": {"fields": {"starts": "local_start", "own": "key"}},
        }
    )
    rules = {rule.field: rule for rule in plan_of(settings, _DEFAULTS).appointment.rules}
    assert rules["starts"].write is Write.ALWAYS
    assert rules["own"].write is Write.UNLESS_EDITED


@pytest.mark.parametrize(("overwrite", "write"), [(False, "unless_edited"), (True, "always")])
def test_the_owner(overwrite: bool, write: str) -> None:
    settings = RemoteSettings(start_from="all", overwrite_owner=overwrite)
    rule = plan_of(settings, _DEFAULTS).appointment.rules[-1]
    assert (rule.field, rule.write) == ("owner_id", write)


def test_an_unknown_reference_is_nothing_rather_than_an_error() -> None:
    assert _values({"place": "location.name", "both": "{{ location.name }}"}) == _values()


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("contact_emial", "did you mean contact_email?"),
        ("service.nmae", "did you mean service.name?"),
        ("salon.name", "there is not"),
        ("{{ contact_emial }}", "did you mean contact_email?"),
        ("{{ service.name ", "unexpected"),
        ({"from": "notes", "value": 1}, "exactly one of"),
        ({"value": 1, "values": {"a": "b"}}, "give `from`"),
        ({"from": "notes", "writes": "once"}, "writes"),
    ],
)
def test_a_mistake_is_told_where_it_stands(field: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RemoteSettings.model_validate(
            {"start_from": "all", "appointment": {"fields": {"title": field}}}
        )
    [error] = caught.value.errors()
    assert error["loc"][:3] == ("appointment", "fields", "title")
    assert words in error["msg"] or words in error["loc"]


def test_where_to_start_from_has_to_be_said() -> None:
    with pytest.raises(ValidationError, match="start_from"):
        RemoteSettings.model_validate({})
    assert RemoteSettings(start_from=date(2026, 1, 1)).start_from == date(2026, 1, 1)


def test_a_changed_mapping_is_another_fingerprint() -> None:
    prints = {
        plan_of(RemoteSettings.model_validate(each), _DEFAULTS).fingerprint
        for each in (
            {"start_from": "all"},
            {"start_from": "now"},
            {"start_from": "all", "appointment": {"fields": {"title": None}}},
            {"start_from": "all", "statuses": {"held": "upsert"}},
        )
    }
    assert len(prints) == 4
    same = RemoteSettings(start_from="all", max_creates_per_run=7, request_deadline=5)
    assert plan_of(same, _DEFAULTS).fingerprint in prints
