"""`docs/hooks.md` says what is so, and its examples work."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from tests.daemon.conftest import Bench
from zimun_sync.config import Config, load
from zimun_sync.config.serving import HookEvent, HookSettings
from zimun_sync.daemon.hooks.hooks import SINK_PATIENCE, WAITS
from zimun_sync.events import PullFinished
from zimun_sync.templates import FIELDS, check_template

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BASE = """\
state: sqlite:///state.db
sources: {main: {client_id: a, client_secret: b}}
sinks: {analytics: {type: duckdb, path: var/analytics}}
"""


def loaded(folder: Path, example: str) -> Config:
    """A configuration with the example; each variable is set to its own name."""
    file = folder / "zimun-sync.yaml"
    file.write_text(BASE + example, encoding="utf-8")
    file.chmod(0o600)
    names = re.findall(r"\$\{([A-Z_]+)\}", example)
    return load(file, {name: _value_of(name) for name in names})


def _value_of(name: str) -> str:
    return f"https://example.org/{name}" if name.endswith("_URL") else name


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads_and_its_fields_are_known(tmp_path: Path, example: str) -> None:
    config = loaded(tmp_path, example)
    assert config.hooks
    for hook in config.hooks.values():
        check_template(hook.url.get_secret_value())
        check_template(hook.body or "")
        assert set(hook.sinks) <= set(config.sinks)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_called(tmp_path: Path, bench: Bench, example: str) -> None:
    for name, hook in loaded(tmp_path, example).hooks.items():
        if "succeeded" not in hook.on:
            continue
        address = re.sub(r"https?://[^/]+", bench.receiver.url, hook.url.get_secret_value())
        here = {"url": address, "allow_private": True}
        hooks = bench.hooks(**{name: hook.model_dump() | here})
        hooks.listen(PullFinished("main", "nightly", "succeeded", 1200, 3, 4.5, ""))
        assert bench.work(hooks) is None
        call = bench.receiver.calls[-1]
        assert "{" not in call.path
        for header, value in hook.headers.items():
            assert call.headers[header.lower()] == value.get_secret_value()
    assert bench.failed == []


def test_the_body_is_the_one_that_is_sent(bench: Bench) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    hooks = bench.hooks(told={"on": ["succeeded"]})
    hooks.listen(PullFinished("main", "nightly", "succeeded", 1200, 3, 4.5, ""))
    bench.work(hooks)
    assert bench.receiver.calls[0].json == json.loads(shown)


def test_the_fields_are_those_there_are() -> None:
    section = PAGE.partition("## Fields")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `\{([a-z]+)\}` \| (.*) \|$", section, re.MULTILINE)) == FIELDS


def test_the_events_are_those_there_are() -> None:
    section = PAGE.partition("## What calls a hook")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z]+)` \|", section, re.MULTILINE) == list(get_args(HookEvent))


def test_the_waits_are_those_there_are() -> None:
    first, *minutes = WAITS
    said = ", ".join(f"{wait / 60:g}" for wait in minutes[:-1])
    assert f"{first:g} s, {said} and {minutes[-1] / 60:g} minutes" in PAGE
    assert f"After {SINK_PATIENCE / 3600:g} hours" in PAGE


def test_the_settings_that_are_named_exist() -> None:
    named = {"on", "url", "body", "timeout", "sources", "sinks", "headers"}
    assert named <= HookSettings.model_fields.keys()
    assert all(f"`{name}" in PAGE or f"{name}:" in PAGE for name in named)
