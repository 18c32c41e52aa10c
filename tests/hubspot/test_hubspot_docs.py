"""The user's page names every setting and every mapped property, and its examples are valid."""

import re
from pathlib import Path

import pytest
import yaml

from zimun_connectors.hubspot import HubspotSettings, connector
from zimun_connectors.hubspot.config import LimitSettings
from zimun_connectors.hubspot.defaults import defaults
from zimun_sync.remotes.settings import RemoteSettings

_PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "hubspot.md").read_text()
_EXAMPLES = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)


def test_every_setting_is_on_the_page_and_described() -> None:
    own = HubspotSettings.model_fields.keys() - RemoteSettings.model_fields.keys() - {"type"}
    assert own <= set(re.findall(r"^\| `(\w+)` \|", _PAGE, re.MULTILINE))
    for name, field in LimitSettings.model_fields.items():
        assert f"`{name}: {field.default}`" in _PAGE
    described = [*HubspotSettings.model_fields.values(), *LimitSettings.model_fields.values()]
    assert all(field.description for field in described)


@pytest.mark.parametrize("kind", ["meetings", "appointments"])
def test_every_property_that_is_filled_is_on_the_page(kind: str) -> None:
    settings = HubspotSettings.model_validate({"token": "t", "start_from": "all", "object": kind})
    filled = defaults(settings)
    named = set(re.findall(r"`(\w+)`", _PAGE))
    assert {*filled.contact, *filled.appointment, filled.owner_field} <= named


@pytest.mark.parametrize("text", _EXAMPLES)
def test_the_examples_are_valid(text: str) -> None:
    for sink in yaml.safe_load(text)["sinks"].values():
        connector.build(HubspotSettings.model_validate(sink), Path()).close()
