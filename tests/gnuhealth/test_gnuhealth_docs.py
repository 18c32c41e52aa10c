"""The user's page is true: its examples load, and its tables name every field of the recipe."""

import re
from pathlib import Path

import pytest
import yaml

from zimun_connectors.http import HttpSettings, defaults_of
from zimun_connectors.http.recipes import recipe

PAGE = (Path(__file__).parents[2] / "docs/connectors/gnuhealth.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    for section in yaml.safe_load(example)["sinks"].values():
        settings = HttpSettings.model_validate(section)
        assert settings.recipe == "gnuhealth"
        assert defaults_of(settings).owner_field == "healthprof"


def test_every_field_of_the_recipe_is_in_a_table_with_when_it_is_written() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    contact = dict.fromkeys(recipe("gnuhealth")["contact"]["fields"], "once")
    words = {None: "unless somebody edited it", "always": "always"}
    appointment = {
        name: words[spec.get("write")]
        for name, spec in recipe("gnuhealth")["appointment"]["fields"].items()
    }

    assert rows == {**contact, **appointment, "healthprof": words[None]}
