"""A YAML file as plain values that remember their lines."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from zimun_sync.errors import ConfigError

#: Where a setting stands: names of sections, indexes of lists, the setting's own name.
Place = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"
_MOST_NODES: Final = 20_000
_MOST_BYTES: Final = 1024 * 1024


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars: `NO` is Norway, `12:30` and `2026-01-01` are text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own attribute


for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,30})", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})$"), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file as it was read.

    Args:
        file: the file's path as it is shown in messages.
        root: the parsed text, with positions.
        values: the same as plain dicts, lists, text, numbers, booleans and None.
    """

    file: Path
    root: yaml.Node
    values: dict[str, Any]

    def line(self, place: Place) -> int:
        """The line, from 1, of a setting; of the section it belongs in if it is not there."""
        node, line = self.root, 1
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            node, line = found
        return line


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], _line(node.value[step])
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):
            if key.value == step:
                return value, _line(key)
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def read(file: Path) -> Document:
    """Read and parse a configuration file.

    Raises:
        ConfigError: it cannot be read, or is not a YAML mapping in UTF-8; says what and where.
    """
    text = _text(file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{file}: is empty.", hint="Write one with `zimun-sync init`.")
        values = _Builder(file, loader).build(root)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(file, error) from None
    except yaml.reader.ReaderError as error:
        raise _forbidden_character(file, text, error) from None
    except RecursionError:
        raise ConfigError(f"{file}: is nested too deeply, or refers to itself.") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{file}:{_line(root)}: should be sections such as `sources:` and `sinks:`.",
            hint="Write an example with `zimun-sync init`.",
        )
    return Document(file, root, values)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: there is no such file.",
            hint="Correct the path, or write a configuration with `zimun-sync init`.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}.",
            hint="Name a file that this user may read.",
        ) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{file}: is larger than 1 MiB, so it is no configuration.")
    return _decoded(file, content)


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: is not UTF-8 text.", hint="Save the file in the encoding UTF-8."
        ) from None


def _not_yaml(file: Path, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
    said = error.problem or "it cannot be understood"
    if said.startswith("but "):
        said = f"{error.context}, {said}"
    if re.search("alias|anchor|tag", said):  # the parser repeats the value, maybe a secret
        said = "a value that starts with '*', '&' or '!' needs quotes"
    return ConfigError(
        f"{where}: is not valid YAML: {said}.",
        hint="Look at that line and the one before: quotes, colons and indentation.",
    )


def _forbidden_character(file: Path, text: str, error: yaml.reader.ReaderError) -> ConfigError:
    line = text.count("\n", 0, error.position) + 1
    return ConfigError(f"{file}:{line}: holds a control character.", hint="Delete it.")


class _Builder:
    """Turns parsed nodes into plain values."""

    def __init__(self, file: Path, loader: _Loader) -> None:
        self._file = file
        self._loader = loader
        self._merged: set[int] = set()
        self._nodes = 0

    def build(self, node: yaml.Node) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ConfigError(f"{self._file}: has more than {_MOST_NODES} entries.")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        if id(node) not in self._merged:
            self._merged.add(id(node))
            self._refuse_odd_keys(node)
            self._loader.flatten_mapping(node)
        return {key.value: self.build(value) for key, value in node.value}

    def _refuse_odd_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, "a name should be plain text")
            if key.value in lines:
                first = lines[key.value]
                raise self._wrong(key, f"{key.value!r} is there twice, first in line {first}")
            lines[key.value] = _line(key)

    def _scalar(self, node: yaml.Node) -> Any:
        match node.tag.removeprefix(_TAG):
            case "str":
                return node.value
            case "null":
                return None
            case "bool":
                return node.value.lower() == "true"
            case "int" | "float" as kind:
                return self._number(node, int if kind == "int" else float)
            case _:
                raise self._wrong(node, "a value that starts with '!' needs quotes")

    def _number(self, node: yaml.Node, kind: type[int] | type[float]) -> float:
        try:
            return kind(node.value)
        except ValueError:
            raise self._wrong(node, "is not the number its tag says") from None

    def _wrong(self, node: yaml.Node, what: str) -> ConfigError:
        return ConfigError(
            f"{self._file}:{_line(node)}: {what}.", hint="Correct that line of the configuration."
        )
