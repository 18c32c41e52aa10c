"""docs/operations.md names commands, options, files, links and alerts that exist."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.deploy.conftest import ROOT, read
from zimun_sync.cli.main import command_line
from zimun_sync.config.models import FileSettings
from zimun_sync.store import LEASE_SECONDS, ParkKind

PAGE = read("docs/operations.md")


def commands(group: Any) -> Iterator[tuple[str, Any]]:
    """Every command by its words, as the parser knows it."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{word} {rest}", found) for rest, found in commands(command))
        else:
            yield word, command


COMMANDS = dict(commands(typer.main.get_command(command_line())))
#: What stands after the program's name, in running text (which may break the line) and in code.
NAMED = sorted(
    {
        " ".join(found.split())
        for found in re.findall(r"\bzimun-sync\s+((?:[a-z]+)(?:\s+[^\s`|#;,&]+)*)", PAGE)
        if found.split()[0] in {name.split()[0] for name in COMMANDS} | {"serve", "webhooks"}
    }
)


def test_it_names_commands() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize("line", NAMED)
def test_every_command_and_option_exists(line: str) -> None:
    words = line.split()
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
    assert name is not None, f"there is no command {line!r}"
    known = {option for each in COMMANDS[name].params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_link_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        assert not path or (ROOT / "docs" / path).exists(), target
        assert path or anchor in headings, target


def test_every_setting_it_names_exists() -> None:
    annotations: dict[str, Any] = {
        name: field.annotation for name, field in FileSettings.model_fields.items()
    }
    sections = {name: each for name, each in annotations.items() if hasattr(each, "model_fields")}
    named = re.findall(r"`([a-z]+)\.([a-z_]+)`", PAGE)
    assert len(named) > 5
    for section, setting in named:
        if section in sections:
            assert setting in sections[section].model_fields, f"{section}.{setting}"


@pytest.mark.parametrize("kind", ParkKind)
def test_every_kind_of_parked_sink_has_a_remedy(kind: ParkKind) -> None:
    word = {"bug": "a bug"}.get(kind, str(kind))
    assert re.search(rf"^\| `sink NAME`: (parked, )?{word} \|", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "subject",
    ["source", "deletions", "sink", "inbox", "clock", "disk", "hook", "quarantine", "forgetting"],
)
def test_every_subject_of_trouble_has_a_remedy(subject: str) -> None:
    found = read("zimun_sync/status/troubles.py")
    assert re.search(rf'f?"{subject}[ "]', found)
    assert re.search(rf"^\| `{subject}\b", PAGE, flags=re.MULTILINE)


def test_no_subject_of_trouble_is_left_out() -> None:
    told = set(re.findall(r'f"([a-z]+) \{', read("zimun_sync/status/troubles.py")))
    told |= set(re.findall(r'Trouble\("([a-z]+)"', read("zimun_sync/status/troubles.py")))
    described = set(re.findall(r"^\| `([a-z]+)\b", PAGE, flags=re.MULTILINE))
    assert told <= described


def test_the_lease_lasts_as_long_as_it_says() -> None:
    assert set(
        re.findall(r"(\d+) (?:s|seconds)\b(?= ?(?:for its\s+lease|, when the lease))", PAGE)
    ) == {str(LEASE_SECONDS)}


def test_files_of_the_project_that_it_names_exist() -> None:
    for name in re.findall(r"\bdeploy/[\w.-]+", PAGE):
        assert (ROOT / name).exists(), name
