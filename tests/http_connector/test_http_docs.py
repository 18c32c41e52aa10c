"""The connector's page names every key, and its examples are valid settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from zimun_connectors.http import HttpSettings
from zimun_connectors.http import sections as parts
from zimun_connectors.http.requests import LookupSettings, OwnerLookupSettings, WriteSettings
from zimun_sync.remotes.filters import FILTERS
from zimun_sync.remotes.settings import RemoteSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/connectors/http.md").read_text(encoding="utf-8")

_EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def _models() -> Iterator[type[BaseModel]]:
    yield from (HttpSettings, LookupSettings, OwnerLookupSettings, WriteSettings)
    for each in vars(parts).values():
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def _keys() -> set[str]:
    named = {name for model in _models() for name in model.model_fields}
    return named - RemoteSettings.model_fields.keys() - {"from_", "type"}


def test_every_key_is_on_the_page() -> None:
    spans = re.findall(r"`([^`\n]+)`", PAGE)
    words = {word for span in spans for word in re.findall(r"[a-z_0-9]+", span)}
    missing = _keys() | FILTERS.keys()
    assert not missing - words - {"by_email", "table"}


def _sections() -> Iterator[dict[str, Any]]:
    for example in _EXAMPLES:
        document = yaml.safe_load(example)
        yield from document.get("sinks", {}).values()
    for file in sorted((ROOT / "config/recipes").glob("*.yaml")):
        yield from yaml.safe_load(file.read_text(encoding="utf-8"))["sinks"].values()


@pytest.mark.parametrize("section", list(_sections()))
def test_examples_are_valid(section: dict[str, Any]) -> None:
    assert HttpSettings.model_validate(section).address.startswith("https://")


def test_parts_of_a_section_are_valid_where_they_belong() -> None:
    whole = next(each for each in _sections() if "recipe" not in each)
    loose = [yaml.safe_load(example) for example in _EXAMPLES if "sinks:" not in example]
    assert len(loose) == 3
    for part in loose:
        if "spelling" in part:
            HttpSettings.model_validate({**whole, **part})
        else:
            HttpSettings.model_validate({**whole, "contact": {**whole["contact"], **part}})
