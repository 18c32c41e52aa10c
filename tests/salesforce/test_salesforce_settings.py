"""What the section may say; and the user's page names every setting and has valid examples."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from zimun_connectors.salesforce import SalesforceSettings, connector
from zimun_connectors.salesforce.fields import DEFAULTS
from zimun_sync.remotes.settings import RemoteSettings
from zimun_sync.remotes.sink import RemoteSink

_PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "salesforce.md").read_text()

GOOD: dict[str, Any] = {
    "start_from": "now",
    "login_url": "https://acme.my.salesforce.com/",
    "client_id": "3MVG9.consumer",
    "client_secret": "an-app-secret",
}


def settings(**changes: Any) -> SalesforceSettings:
    values = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return SalesforceSettings.model_validate(values)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"login_url": "http://acme.my.salesforce.com"}, "My Domain"),
        ({"login_url": "https://acme.my.salesforce.com/services"}, "My Domain"),
        ({"client_secret": ...}, "client_secret"),
        ({"client_secret": ..., "username": "u@acme.example"}, "private_key"),
        ({"username": "u@acme.example", "private_key": "pem"}, "either"),
        ({"username": "u@acme.example"}, "either"),
        ({"api_version": "v67.0"}, "api_version"),
        ({"contact_key_field": "Zimun Key"}, "API name"),
        ({"contact": {"fields": {"Id, Name": "contact_name"}}}, "API name"),
        ({"records_per_call": 201}, "records_per_call"),
        ({"bulk_above": 10_000}, "bulk_above"),
        ({"phone_fields": []}, "phone_fields"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**changes)


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_a_jwt_is_meant_for_production_or_for_sandboxes(login_url: str, audience: str) -> None:
    assert settings(login_url=login_url).jwt_audience == audience
    assert settings(login_url=login_url, audience="https://x.example").jwt_audience == (
        "https://x.example"
    )


def test_the_sink_is_built_without_a_call(tmp_path: Path) -> None:
    sink = connector.build(settings(), tmp_path)
    assert isinstance(sink, RemoteSink)
    assert sink.batch_rows == 10_000
    sink.close()


def test_every_setting_is_on_the_page_and_described() -> None:
    own = SalesforceSettings.model_fields.keys() - RemoteSettings.model_fields.keys() - {"type"}
    assert own <= set(re.findall(r"^\| `(\w+)` \|", _PAGE, re.MULTILINE))
    assert all(field.description for field in SalesforceSettings.model_fields.values())


def test_every_field_of_the_mapping_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", _PAGE))
    assert DEFAULTS.contact.keys() | DEFAULTS.appointment.keys() | {"OwnerId", "WhoId"} <= named


def test_the_examples_are_valid() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    sinks = [sink for text in examples for sink in yaml.safe_load(text)["sinks"].values()]
    for sink in sinks:
        if path := sink.pop("private_key_file", None):
            sink["private_key"] = path  # the configuration puts the file's content here
        SalesforceSettings.model_validate(sink)
    assert len(sinks) == 3
