"""The user's page is true: its examples load, and its tables name every setting and field."""

import re
from pathlib import Path

import pytest
import yaml

from zimun_connectors.caldav import CaldavSettings
from zimun_connectors.caldav.config import EVENT
from zimun_connectors.caldav.properties import FIELDS
from zimun_sync.remotes.settings import RemoteSettings

PAGE = (Path(__file__).parents[2] / "docs/connectors/caldav.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    for section in yaml.safe_load(example)["sinks"].values():
        assert CaldavSettings.model_validate(section).url.endswith("/bookings/")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    own = CaldavSettings.model_fields.keys() - RemoteSettings.model_fields.keys() - {"type"}
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`(\S+)` )?\|", PAGE, re.MULTILINE))

    assert own <= rows.keys()
    for name in own:
        default = CaldavSettings.model_fields[name].get_default()
        told = "" if default is None else str(default).lower()
        assert rows[name] == ("" if name == "url" else told)


def test_every_field_and_when_it_is_written_is_in_the_table() -> None:
    table = {
        name: written
        for name, written in re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
        if name in FIELDS
    }
    words = {None: "unless somebody edited it", "always": "always"}

    assert table == {name: words[spec.get("write")] for name, spec in EVENT.items()}
    for name in FIELDS - EVENT.keys():
        assert f"`{name}`" in PAGE
