"""The page on remote connectors shows code that is tested."""

import re
from dataclasses import fields
from pathlib import Path
from textwrap import dedent, indent

import pytest

from zimun_sync.remotes import contract
from zimun_sync.testing import remotes
from zimun_sync.testing.remotes import pocket

_PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "write-a-remote-connector.md"
_TEXT = _PAGE.read_text()
_BLOCKS = re.findall(r"^```python\n(.*?)^```", _TEXT, re.MULTILINE | re.DOTALL)


def _sources() -> str:
    shown = [
        *Path(pocket.__path__[0]).glob("*.py"),
        Path(__file__).with_name("test_pocket_contract.py"),
    ]
    return "\n".join(file.read_text() for file in shown)


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: block.split("\n", 1)[0])
def test_each_block_is_code_of_the_example(block: str) -> None:
    code = _sources()
    assert block in code or indent(dedent(block), "    ") in code


def test_the_page_names_every_part_of_the_protocol() -> None:
    protocols = {"Archives", "Cancels", "KnowsOwners", "Links"}
    outcomes = {"Done", "Refused", "Gone", "Stale", "Exists", "BatchRefused", "NotSent"}
    methods = {name for name in vars(contract.Remote) if not name.startswith("_")}
    abilities = {each.name for each in fields(contract.Abilities)}
    assert {
        name
        for name in protocols | outcomes | methods | abilities
        if f"`{name}" not in _TEXT and name not in "".join(_BLOCKS)
    } == set()


def test_the_page_names_every_part_of_a_harness() -> None:
    parts = {name for name in vars(remotes.RemoteHarness) if not name.startswith("_")}
    assert {name for name in parts - {"close"} if f"`{name}" not in _TEXT} == set()
