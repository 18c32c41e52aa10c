"""The user's page names every setting, and its examples are valid."""

import re
from pathlib import Path

import yaml

from zimun_connectors.csv import CsvSettings

_PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "csv.md").read_text()


def test_every_setting_is_on_the_page_and_described() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", _PAGE, re.MULTILINE))
    assert CsvSettings.model_fields.keys() - {"type"} <= listed
    assert all(field.description for field in CsvSettings.model_fields.values())


def test_the_examples_are_valid() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    sinks = [sink for text in examples for sink in yaml.safe_load(text)["sinks"].values()]
    presets = [CsvSettings.model_validate(sink).preset for sink in sinks]
    assert presets == ["standard", "excel"]
