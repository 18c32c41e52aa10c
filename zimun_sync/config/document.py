"""Writes what is generated from the settings' models: `python -m zimun_sync.config.document`.

Run at the project's root after changing a setting. It writes the JSON schema and the example
in `config/` and the tables of `docs/configuration.md`; a test holds all three up to date.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from zimun_sync.config.models import FileSettings, LogSettings, SourceSettings, SyncSettings
from zimun_sync.config.privacy import PrivacySettings, SinkPrivacySettings
from zimun_sync.config.schema import schema
from zimun_sync.config.settings_list import Setting, settings_of
from zimun_sync.sinks import connector

SCHEMA_FILE: Final = Path("config/zimun-sync.schema.json")
EXAMPLE_FILE: Final = Path("config/zimun-sync.example.yaml")
PAGE_FILE: Final = Path("docs/configuration.md")

_HEAD: Final = """\
# yaml-language-server: $schema=zimun-sync.schema.json
#
# Every setting with its default; delete what you do not change. `zimun-sync init` writes a
# short file to start from. A commented setting has no default. Relative paths start at this
# file's folder, and ${NAME} is an environment variable.
"""
#: The built-in connectors: the sink's name in the example and the settings it has to be given.
_SINKS: Final = {
    "duckdb": ("analytics", {"path": "var/zimun.duckdb"}),
    "csv": ("files", {"path": "var/csv"}),
}
_CREDENTIALS: Final = {
    "client_id": '"${ZIMUN_CLIENT_ID}"',
    "client_secret": '"${ZIMUN_CLIENT_SECRET}"',
}
_TABLES = re.compile(r"(?<=<!-- generated: begin -->\n).*(?=<!-- generated: end -->)", re.DOTALL)


def schema_text() -> str:
    """The JSON schema of a file with the built-in connectors."""
    return json.dumps(schema(_SINKS), indent=2, ensure_ascii=False) + "\n"


# -- the example ----------------------------------------------------------------------------


def example() -> str:
    """A configuration that shows every setting with its default."""
    lines = [_HEAD]
    for setting in settings_of(FileSettings):
        lines += [*_comment(setting, ""), *_top_level(setting), ""]
    return "\n".join(lines[:-1]) + "\n"


def _top_level(setting: Setting) -> Iterator[str]:
    if setting.name == "sources":
        yield "sources:"
        yield "  main:"
        yield from _section(SourceSettings, "    ", _CREDENTIALS)
    elif setting.name == "sinks":
        yield "sinks:"
        for kind, (name, given) in _SINKS.items():
            yield from (f"  {name}:", f"    type: {kind}")
            yield from _section(connector(kind).settings, "    ", given)
            yield "    # What this sink is not shown; see docs/privacy.md."
            yield "    privacy:"
            yield from _section(SinkPrivacySettings, "      ", {})
    else:
        yield from _entry(setting, "", {})


def _section(model: type[BaseModel], indent: str, given: Mapping[str, str]) -> Iterator[str]:
    for setting in settings_of(model):
        yield from _comment(setting, indent)
        yield from _entry(setting, indent, given)


def _comment(setting: Setting, indent: str) -> list[str]:
    lines = textwrap.wrap(
        setting.meaning,
        width=98,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    if setting.example is None:
        return lines
    return [*lines, f"{indent}# For example: {_flow(setting.example)}"]


def _entry(setting: Setting, indent: str, given: Mapping[str, str]) -> Iterator[str]:
    if setting.section is not None:
        yield f"{indent}{setting.name}:"
        yield from _section(setting.section, f"{indent}  ", {})
    elif setting.name in given:
        yield f"{indent}{setting.name}: {given[setting.name]}"
    elif setting.default is None:
        yield f"{indent}# {setting.name}:"
    else:
        hidden = "# " if "VERSION" in str(setting.default) else ""
        yield f"{indent}{hidden}{setting.name}: {_flow(setting.default)}"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


# -- the tables of the page -----------------------------------------------------------------


def tables() -> str:
    """Markdown tables of every setting, a heading for each section."""
    sections: dict[str, type[BaseModel]] = {
        "Top level": FileSettings,
        "`sources.NAME`": SourceSettings,
        "`sync`": SyncSettings,
        "`privacy`": PrivacySettings,
        "`log`": LogSettings,
    }
    for kind in _SINKS:
        sections[f"`sinks.NAME` with `type: {kind}`"] = connector(kind).settings
    sections["`sinks.NAME.privacy`, for every type"] = SinkPrivacySettings
    return "\n".join(_table(title, model) for title, model in sections.items())


def _table(title: str, model: type[BaseModel]) -> str:
    nested = model is not FileSettings
    rows = "".join(f"{row}\n" for row in _rows(model, "", nested=nested))
    return f"### {title}\n\n| setting | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _rows(model: type[BaseModel], prefix: str, *, nested: bool) -> Iterator[str]:
    for setting in settings_of(model):
        if setting.section is not None and nested:
            yield from _rows(setting.section, f"{prefix}{setting.name}.", nested=True)
        else:
            values = "section" if setting.section else setting.values
            cells = (f"`{prefix}{setting.name}`", values, _default(setting), setting.meaning)
            yield f"| {' | '.join(_cell(text) for text in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    if setting.default is None or setting.section is not None:
        return ""
    return f"`{_flow(setting.default)}`"


def page(present: str) -> str:
    """The page with its tables renewed."""
    return _TABLES.sub(lambda _: f"\n{tables()}\n", present)


def main() -> None:
    """Write all three, relative to the current folder."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    EXAMPLE_FILE.write_text(example(), encoding="utf-8")
    PAGE_FILE.write_text(page(PAGE_FILE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover - the whole of the module's command
    main()
