"""`docs/cli.md` names every command and every option, and none that is not there."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.cli.conftest import Cli
from zimun_sync.cli.main import COMMANDS as MODULES
from zimun_sync.cli.main import GROUPS, command_line

DOCS = Path(__file__).parents[2] / "docs"


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command by its full name, as the parser knows it."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def sections() -> dict[str, str]:
    """The page's text by command."""
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    parts = re.split(r"^##+ (.*)\n", page, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {title: text for title, text in found.items() if title.startswith("zimun-sync ")}


COMMANDS = dict(commands(typer.main.get_command(command_line()), "zimun-sync"))
SECTIONS = sections()


def options(command: Any) -> set[str]:
    long = {word for each in command.params for word in each.opts if word.startswith("--")}
    return long - {"--help"}


def test_every_command_is_documented_and_no_other() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"zimun-sync sandbox"}))
def test_every_option_is_documented_and_no_other(name: str) -> None:
    documented = set(re.findall(r"^\| `(--[a-z-]+)`", SECTIONS[name], flags=re.MULTILINE))
    assert documented == options(COMMANDS[name])


def test_the_sandbox_has_a_page_of_its_own() -> None:
    page = (DOCS / "sandbox.md").read_text(encoding="utf-8")
    assert all(f"`{option}`" in page for option in options(COMMANDS["zimun-sync sandbox"]))


@pytest.mark.parametrize("called", [*chain.from_iterable(MODULES.values()), *GROUPS.values()])
def test_what_a_command_needs_is_found_by_its_name(called: str) -> None:
    alone = dict(commands(typer.main.get_command(command_line(called)), "zimun-sync"))
    of_it = {name for name in COMMANDS if name.split()[1] == called}
    assert of_it
    assert of_it <= alone.keys() < COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help(cli: Cli, name: str) -> None:
    ended = cli(*name.split()[1:], "--help")
    assert ended.code == 0
    first_line = COMMANDS[name].help.splitlines()[0]
    assert first_line[:40] in " ".join(ended.out.replace("│", " ").split())
    for option in options(COMMANDS[name]):
        assert option in ended.out


def test_the_overview_names_every_command(cli: Cli) -> None:
    groups = {name.split()[1] for name in COMMANDS if name.count(" ") > 1}
    shown = cli("--help").out + "".join(cli(group, "--help").out for group in groups)
    assert all(re.search(rf"\b{name.split()[-1]}\b", shown) for name in COMMANDS)
