"""Mistakes in an `http` section are told before anything is sent: which key, and the remedy."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from tests.http_connector.conftest import odoo_settings, square_settings
from zimun_connectors.http import HttpSettings, connector, defaults_of, remote_of
from zimun_connectors.http.recipes import RECIPES
from zimun_sync.config import loading
from zimun_sync.config.schema import schema
from zimun_sync.errors import ConfigError
from zimun_sync.remotes.sink import RemoteSink

Change = Callable[[dict[str, Any]], object]


def section(**changes: Any) -> dict[str, Any]:
    """A minimal one."""
    appointment = {
        "read": {"path": "/read"},
        "create": {"path": "/create", "body": "{{ fields }}"},
        "update": {"path": "/update/{{ id }}", "body": "{{ fields }}"},
        **changes.pop("appointment", {}),
    }
    return {
        "start_from": "all",
        "base_url": "https://crm.example.com",
        "account": "salon",
        "appointment": appointment,
        **changes,
    }


def complaint(settings: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as raised:
        HttpSettings.model_validate(settings)
    [error] = raised.value.errors()
    place = ".".join(str(step) for step in error["loc"])
    return f"{place}: {error['msg']}"


def creating(**request: Any) -> dict[str, Any]:
    return section(appointment={"create": {"path": "/create", **request}})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (creating(body={"a": ["{{ key"]}), ("appointment.create.0.body", "a[0]", "{{ key")),
        (creating(path="/x/{{ kee }}"), ("appointment.create.path", "`kee`", "`key`?")),
        (creating(body={"n": "{{ service.nme }}"}), ("create.body.n", "service.nme", "name`?")),
        (creating(body="{{ constants.room }}"), ("create.body", "constants: {room: …}")),
        (creating(id="result.id |"), ("appointment.create.0.id", "result.id |")),
        (creating(id="bdy.id"), ("appointment.create.id", "`bdy`", "did you mean `body`?")),
        (creating(keep={"x": "key"}), ("appointment.create.keep.x", "`key`")),
        (creating(batch=5), ("appointment.create", "`batch`", "`row`")),
        (creating(row="{{ key }}"), ("appointment.create", "`batch`", "`row`")),
        (
            creating(batch=5, row="{{ key }}", body="{{ key }}"),
            ("appointment.create.body", "`key`", "there are"),
        ),
        (
            section(appointment={"find": {"key": {"path": "/f", "batch": 9}}}),
            ("appointment.find.key", "add `value`"),
        ),
        (section(appointment={"read": []}), ("appointment.read", "required")),
        (section(appointment={"link": {"path": "/l"}}), ("appointment.unlink", "add the other")),
        (section(base_url=None), ("base_url is required",)),
        (section(base_url="http://crm.example.com"), ("http://crm.example.com", "https://")),
        (section(account=None), ("account is required",)),
        (section(account={"label": "result.name"}), ("account", "`constant`", "`path`")),
        (section(auth={"type": "basic", "username": "a"}), ("auth", "add password")),
        (section(auth={"token": "t"}), ("auth", "does not take token")),
        (section(contact={"create": {"path": "/c"}}), ("contact.read is required",)),
        (section(owners={"find": {"email": {"path": "/u"}}}), ("owners.find", "`id`")),
        (section(headers={"X": "{{ key }}"}), ("headers.X", "`key`")),
        (section(recipe="zoho"), ("recipe",)),
        (section(spelling={"instant": {"write": "{{ v }}", "read": "value"}}), ("`v`", "`value`")),
    ],
)
def test_a_mistake_is_told_with_its_key_and_a_remedy(
    settings: dict[str, Any], said: tuple[str, ...]
) -> None:
    text = complaint(settings)
    for words in said:
        assert words in text


def test_contacts_have_to_be_tied_to_appointments() -> None:
    request = {"path": "/c"}
    contact = {"create": request, "read": request, "update": request}
    assert "use `contact_id` in appointment.create" in complaint(section(contact=contact))
    tied = creating(body={"contact": "{{ contact_id }}"})
    assert HttpSettings.model_validate({**tied, "contact": contact}).has_contacts


def test_later_requests_know_what_earlier_ones_keep_and_no_others() -> None:
    first, second = {"path": "/a", "keep": {"party": "body.id"}}, {"path": "/b/{{ party }}"}
    HttpSettings.model_validate(section(appointment={"create": [first, second]}))
    said = complaint(section(appointment={"create": [second, first]}))
    assert "appointment.create[0].path uses `party`" in said


def test_plain_http_is_for_this_machine_unless_it_is_permitted() -> None:
    for url in ("http://localhost:8069", "http://127.0.0.1:8000/crm/", "http://[::1]:80"):
        HttpSettings.model_validate(section(base_url=url))
    exposed = section(base_url="http://10.0.0.2", allow_plain_http=True)
    HttpSettings.model_validate(exposed)


# -- recipes ---------------------------------------------------------------------------------


def test_what_stands_in_the_section_goes_on_top_of_the_recipe() -> None:
    settings = HttpSettings.model_validate(
        square_settings(
            "https://connect.squareupsandbox.com",
            headers={"Square-Version": "2026-01-22"},
            contact={"update": [{"path": "/mine/{{ id }}"}], "read": {"batch": 50}},
        )
    )
    assert settings.base_url == "https://connect.squareupsandbox.com"
    assert settings.headers == {"Square-Version": "2026-01-22"}
    assert [step.path for step in settings.contact.update] == ["/mine/{{ id }}"]
    assert [(step.path, step.batch) for step in settings.contact.read] == [
        ("/v2/customers/bulk-retrieve", 50)
    ]
    assert [step.path for step in settings.contact.create] == ["/v2/customers/bulk-create"]
    assert settings.auth.type == "bearer"


def test_fields_of_a_recipe_are_the_mapping_that_ones_own_go_on_top_of() -> None:
    own = {"customer_note": None, "start_at": "local_start"}
    settings = HttpSettings.model_validate(
        square_settings("https://x.example.com", appointment={"fields": own})
    )
    sink = connector.build(settings, Path())
    assert isinstance(sink, RemoteSink)
    defaults = defaults_of(settings)
    assert defaults.appointment["start_at"] == {"from": "starts_at", "write": "always"}
    assert settings.appointment.fields.keys() == own.keys()
    assert (defaults.email_field, defaults.owner_field) == ("email_address", "team_member_id")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_is_still_to_be_given(name: str) -> None:
    given = {"auth": {"token": "t"}} if name != "gnuhealth" else {}
    bare = {"recipe": name, "start_from": "now", **given}
    with pytest.raises(ValidationError) as raised:
        HttpSettings.model_validate(bare)
    said = str(raised.value)
    assert {"square": "constants", "odoo": "base_url", "gnuhealth": "username"}[name] in said


def test_a_recipe_without_its_constant_names_it() -> None:
    without = odoo_settings("https://acme.odoo.com", constants={})
    assert "constants: {database: …}" in complaint(without)


# -- in a whole configuration ----------------------------------------------------------------


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Any]:
    """Loads a configuration file with this sink."""
    monkeypatch.setattr(loading, "connector", lambda _name: connector)

    def load(sink: dict[str, Any]) -> Any:
        file = tmp_path / "zimun-sync.yaml"
        source = {"client_id": "a", "client_secret": "0123456789"}
        document = {"sources": {"main": source}, "sinks": {"crm": {"type": "http", **sink}}}
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return loading.load(file, {"SQUARE_TOKEN": "from-the-environment"})

    return load


def test_secrets_come_from_the_environment_and_from_files(
    load: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    sink = square_settings("https://connect.squareup.com", auth={"token": "${SQUARE_TOKEN}"})
    settings = load(sink).sinks["crm"].settings
    assert settings.auth.token.get_secret_value() == "from-the-environment"
    (tmp_path / "token").write_text("from-a-file\n")
    settings = load({**sink, "auth": {"token_file": "token"}}).sinks["crm"].settings
    assert settings.auth.token.get_secret_value() == "from-a-file"


def test_an_account_may_be_a_plain_name(load: Callable[[dict[str, Any]], Any]) -> None:
    account = load(section(account="salon")).sinks["crm"].settings.account
    assert account.constant == "salon"


def test_a_mistake_is_told_with_file_and_line(load: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        load(creating(id="result.id |"))
    assert "zimun-sync.yaml:" in raised.value.message
    assert "sinks.crm.appointment.create" in raised.value.message


def test_the_schema_takes_a_request_or_a_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["zimun_sync.config.schema"]
    monkeypatch.setattr(module, "connector", lambda _name: connector)
    validator = jsonschema.Draft202012Validator(schema(["http"]))
    source = {"client_id": "a", "client_secret": "b"}
    for create in ({"path": "/a"}, [{"path": "/a"}, {"path": "/b", "when": "body.x"}]):
        spelling = {"empty": {"write": False, "read": [False, ""]}}
        sink = {"type": "http", **section(appointment={"create": create}, spelling=spelling)}
        validator.validate({"sources": {"main": source}, "sinks": {"crm": sink}})
    wrong = {"type": "http", **section(appointment={"create": {"pth": "/a"}})}
    assert not validator.is_valid({"sources": {"main": source}, "sinks": {"crm": wrong}})


def test_a_remote_opens_nothing_when_it_is_made() -> None:
    remote_of(HttpSettings.model_validate(section())).close()
