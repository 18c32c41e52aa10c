"""A configuration on its way from text to settings, and everything found wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from zimun_sync.config import wording
from zimun_sync.config.environment import Environment, from_json
from zimun_sync.config.secret_commands import run_for_secret
from zimun_sync.config.secret_files import WAYS, is_rival, read_secret
from zimun_sync.config.sections import Section, is_secret, names, sections
from zimun_sync.config.tree import Document, Place
from zimun_sync.config.variables import expand
from zimun_sync.config.wording import has_password
from zimun_sync.errors import ConfigError

_HINT = (
    "docs/configuration.md lists every setting; `zimun-sync config schema` teaches them to an "
    "editor."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        order: problems are told in this order.
        text: where it is, the setting at fault, what is wrong with it and what to do.
    """

    order: tuple[bool, int]
    text: str


class Draft:
    """The file's values beneath those of the environment, completed step by step.

    Args:
        document: the file as it was read.
        folder: where relative paths in the file start.
        environ: the process's environment.
    """

    def __init__(self, document: Document, folder: Path, environ: Mapping[str, str]) -> None:
        self.document = document
        self.environment = Environment(environ, document.values)
        self._folder = folder
        self._environ = environ
        self.secret_files: list[Path] = []
        self._problems: list[Problem] = []
        self._failed: set[Place] = set()
        self._models: dict[Place, type[BaseModel]] = {}
        self._secrets: set[Place] = set()
        self._read_from: dict[Place, Place] = {}
        self._borrowed: dict[Place, str] = {}
        self.values: dict[str, Any] = self._combine(document.values, self.environment.values, ())

    # -- steps --------------------------------------------------------------------------

    def complete(self, model: Any, values: Any, place: Place = ()) -> None:
        """Fill in what `X_file` and `X_command` give, and learn which settings are secret."""
        for section in sections(model, values, place):
            self._models[section.place] = section.model
            self._read_files(section)
            for name, field in names(section.model).items():
                if is_secret(field.annotation) or has_password(section.values.get(name)):
                    self._secrets.add((*section.place, name))

    def validate(self, model: type[BaseModel], values: Any, place: Place = ()) -> Any:
        """An instance of `model`, or None with the problems taken down."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            by_place: dict[Place, list[Any]] = {}
            for item in error.errors(include_url=False):
                by_place.setdefault(self._place(place, item), []).append(item)
            for at, items in by_place.items():
                self._take_down(at, items)
            return None

    def add(self, place: Place, text: str) -> None:
        """Take down a problem; whatever else is wrong with that setting is left unsaid."""
        order = (self.environment.variable(self._origin(place)) is not None, self._line(place))
        text = f"{self.where(place)}: {wording.name(place)}: {text}"
        self._problems.append(Problem(order, text))
        self._failed.add(place)

    def add_variable(self, variable: str, text: str) -> None:
        """Take down a problem with a variable that is no setting."""
        self._problems.append(Problem((True, 0), f"environment variable {variable}: {text}"))

    def finish(self) -> None:
        """Go on only if nothing is wrong.

        Raises:
            ConfigError: naming every problem: file, line, setting, what is wrong, what to do.
        """
        if not self._problems:
            return
        lines = [problem.text for problem in sorted(self._problems, key=attrgetter("order"))]
        if len(lines) == 1:
            raise ConfigError(lines[0], hint=_HINT)
        listed = "".join(f"\n  {line}" for line in lines)
        raise ConfigError(f"The configuration has {len(lines)} problems:{listed}", hint=_HINT)

    def literal_secrets(self) -> list[Place]:
        """Secrets that stand in the file itself, word for word."""
        return sorted(
            (place for place in self._secrets if self._is_literal(place)), key=self.document.line
        )

    # -- from text to values ------------------------------------------------------------

    def _combine(self, written: Any, given: Any, place: Place) -> Any:
        """What the environment gave, else what the file says with its references resolved."""
        if isinstance(written, dict) and isinstance(given, dict | None):
            inner = given or {}
            kept = {key: value for key, value in written.items() if not is_rival(key, inner)}
            return {
                key: self._combine(kept.get(key), inner.get(key), (*place, key))
                for key in [*kept, *(key for key in inner if key not in kept)]
            }
        if given is not None:
            return given
        if isinstance(written, list):
            return [self._combine(item, None, (*place, at)) for at, item in enumerate(written)]
        return self._expand(written, place) if isinstance(written, str) else written

    def _expand(self, text: str, place: Place) -> str:
        expanded = expand(text, self._environ)
        for problem in expanded.problems:
            self.add(place, problem)
        if expanded.borrowed:
            self._borrowed[place] = text
        return expanded.text

    def _read_files(self, section: Section) -> None:
        known = names(section.model)
        for key in [key for key in section.values if key not in known]:
            name, _, kind = key.rpartition("_")
            if name in known and kind in WAYS:
                self._read_elsewhere(section, key, name)

    def _read_elsewhere(self, section: Section, key: str, name: str) -> None:
        given, place = section.values.pop(key), (*section.place, name)
        if name in section.values:
            self.add((*section.place, key), f"{name} is given too; keep one of the two")
            return
        self._read_from[place] = (*section.place, key)
        is_file = key.endswith("_file")
        self._borrowed[place] = f"the content of {given}" if is_file else "what the command printed"
        try:
            read = self._read_file if is_file else self._run_command
            section.values[name] = read(given)
        except ConfigError as error:
            self.add((*section.place, key), error.message)
            self._failed.add(place)

    def _read_file(self, path: Any) -> str:
        text = read_secret(path, self._folder)
        self.secret_files.append(self._folder / path)
        return text

    def _run_command(self, command: Any) -> str:
        words = from_json(command) if isinstance(command, str) else command
        return run_for_secret(words, self._folder)

    # -- from pydantic's errors to problems -----------------------------------------------

    def _take_down(self, place: Place, items: list[Any]) -> None:
        if any(place[:length] in self._failed for length in range(len(place) + 1)):
            return
        shown = self._shown(place, items[0]["input"])
        known = list(names(self._models[place[:-1]])) if place[:-1] in self._models else []
        text = wording.say(items, place, shown, known)
        self.add(place, self._scrubbed(text))

    def _place(self, prefix: Place, item: Any) -> Place:
        """Where an error is, without the steps that pydantic adds for unions and keys."""
        value: Any = self.values
        place: Place = ()
        for step in (*prefix, *item["loc"]):
            inside = _step(value, step)
            if inside is not _ABSENT:
                place, value = (*place, step), inside
        return (*place, item["loc"][-1]) if item["type"] == "missing" else place

    def _shown(self, place: Place, value: Any) -> str:
        if self._is_secret(place) or isinstance(value, (dict, list, tuple)):
            return ""
        return self._borrowed.get(place) or wording.literal(value)

    def _is_secret(self, place: Place) -> bool:
        return any(place[:length] in self._secrets for length in range(len(place) + 1))

    def _is_literal(self, place: Place) -> bool:
        given = self.environment.variable(place)
        borrowed = any(at[: len(place)] == place for at in self._borrowed)
        return given is None and not borrowed and bool(self._value(place))

    def _value(self, place: Place) -> Any:
        value: Any = self.values
        for step in place:
            value = _step(value, step)
        return None if value is _ABSENT else value

    def _scrubbed(self, text: str) -> str:
        """The text without any secret that a validator may have quoted."""
        for place in self._secrets:
            value = self._value(place)
            if isinstance(value, str) and len(value) >= wording.SHORTEST_SECRET:
                text = text.replace(value, "***")
        return text

    # -- where things stand -------------------------------------------------------------

    def where(self, place: Place) -> str:
        """The file and line, or the environment variable, that gave a setting."""
        variable = self.environment.variable(self._origin(place))
        if variable is not None:
            return f"environment variable {variable}"
        return f"{self.document.file}:{self._line(place)}"

    def _origin(self, place: Place) -> Place:
        return self._read_from.get(place, place)

    def _line(self, place: Place) -> int:
        return self.document.line(self._origin(place))


_ABSENT = object()


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT
