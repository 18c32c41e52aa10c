"""Whether requests fit together, and name only what there is: told when settings are read."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zimun_connectors.http.requests import (
    LookupSettings,
    RequestSettings,
    WriteSettings,
    leaves,
)
from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.expressions import compile_expression, compile_template
from zimun_sync.remotes.names import FURTHER, REFERENCES

#: What templates of any request can use.
_EVERYWHERE: Final = frozenset({"constants", "omit"})
#: What requests that write an object can use beside the mapping's names.
_OF_ITEM: Final = frozenset({"id", "version", "token", "contact_id", "retied", "fields"})
_OF_MAPPING: Final = frozenset(
    {column.name for column in APPOINTMENTS.columns} | FURTHER.keys() | REFERENCES.keys()
)
ITEM: Final = _EVERYWHERE | _OF_ITEM | _OF_MAPPING
PAIR: Final = _EVERYWHERE | {"key", "id", "contact_id"}
NOTHING: Final = _EVERYWHERE
_WHOLE_BATCH: Final = _EVERYWHERE | {"rows", "items"}
_LOOKUP: Final = _EVERYWHERE | {"values", "names", "cursor"}
_ANSWER: Final = frozenset({"status", "headers", "body", "result", "constants"})

_JUDGED: Final = (
    "success", "unavailable", "broken", "results", "id", "version", "value", "none", "next",
    "active", "match", "matched", "failed", "gone", "stale", "exists", "existing_id", "label",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """Which names there are.

    Args:
        known: first words.
        constants: names below `constants`.
    """

    known: frozenset[str]
    constants: Collection[str]

    def plus(self, further: Collection[str]) -> "Names":
        """With further first words."""
        return Names(self.known | frozenset(further), self.constants)

    def check(self, place: str, used: Collection[str]) -> None:
        """Refuse names that there are not.

        Raises:
            ValueError: naming the place, the name and what it may have been meant to be.
        """
        for path in sorted(used):
            first, _, rest = path.partition(".")
            if first not in self.known:
                _refuse(place, first, self.known)
            below = self._below(first)
            second = rest.partition(".")[0]
            if below is not None and second and second not in below:
                _refuse(place, f"{first}.{second}", [f"{first}.{name}" for name in below])

    def _below(self, first: str) -> Collection[str] | None:
        if first == "constants":
            return self.constants
        if first in REFERENCES and first in self.known:
            return [column.name for column in REFERENCES[first].columns]
        return None


#: The names where a value is spelled.
VALUE: Final = Names(frozenset({"value"}), ())


def _refuse(place: str, name: str, known: Collection[str]) -> None:
    near = difflib.get_close_matches(name, known, n=1)
    if name.startswith("constants."):
        short = name.removeprefix("constants.")
        remedy = f"add it: `constants: {{{short}: …}}`"
    elif near:
        remedy = f"did you mean `{near[0]}`?"
    else:
        remedy = f"there are {', '.join(f'`{each}`' for each in sorted(known))}"
    raise ValueError(f"{place} uses `{name}`, which is not there; {remedy}")


def check_writes(place: str, steps: Sequence[WriteSettings], names: Names) -> None:
    """Check a sequence of requests that write.

    Raises:
        ValueError: naming the place and what is wrong there.
    """
    for where, step in _placed(place, steps):
        if (step.batch > 1) != (step.row is not None):
            raise ValueError(f"{where}: `batch` above 1 and `row` go together; add the other one")
        whole = Names(_WHOLE_BATCH, names.constants) if step.batch > 1 else names
        _check_texts(where, step, whole)
        check_structure(f"{where}.row", step.row, names)
        check_expression(f"{where}.when", step.when, names)
        check_expression(f"{where}.match", step.match, names)
        _check_answer(where, step, names.plus({"item"}))
        names = names.plus(step.keep)


def check_lookups(place: str, steps: Sequence[LookupSettings], constants: Collection[str]) -> None:
    """Check a sequence of requests that look things up.

    Raises:
        ValueError: naming the place and what is wrong there.
    """
    names = Names(_LOOKUP, constants)
    for where, step in _placed(place, steps):
        single = names if step.batch > 1 else names.plus({"value"})
        _check_texts(where, step, single)
        check_expression(f"{where}.when", step.when, single)
        _check_answer(where, step, names.plus({"value"}))
        names = names.plus(step.keep)


def check_batched_value(place: str, steps: Sequence[LookupSettings]) -> None:
    """Check that what a batch of values finds can be told apart.

    Raises:
        ValueError: naming the place.
    """
    for where, step in list(_placed(place, steps))[-1:]:
        if step.batch > 1 and step.value is None:
            raise ValueError(f"{where}: with `batch` say which value a result has: add `value`")


def check_structure(place: str, value: Any, names: Names) -> None:
    """Check the names that a structure of templates uses.

    Raises:
        ValueError: naming the place and what is wrong there.
    """
    for inside, text in leaves(value):
        where = place + (inside if inside.startswith("[") else f".{inside}" if inside else "")
        names.check(where, compile_template(text).names)


def check_expression(place: str, text: str | None, names: Names) -> None:
    """Check the names that an expression uses.

    Raises:
        ValueError: naming the place and what is wrong there.
    """
    if text is not None:
        names.check(place, compile_expression(text).names)


def uses(steps: Sequence[WriteSettings], name: str) -> bool:
    """Whether a request of a sequence uses a name."""
    structures = [part for step in steps for part in (step.path, step.params, step.body, step.row)]
    used = {
        path
        for part in structures
        for _, text in leaves(part)
        for path in compile_template(text).names
    }
    return any(path.partition(".")[0] == name for path in used)


def _placed(place: str, steps: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for number, step in enumerate(steps):
        yield (f"{place}[{number}]" if len(steps) > 1 else place), step


def _check_texts(place: str, step: RequestSettings, names: Names) -> None:
    for part in ("path", "params", "headers", "body"):
        check_structure(f"{place}.{part}", getattr(step, part), names)


def _check_answer(place: str, step: RequestSettings, names: Names) -> None:
    extra = names.known & {"item", "value"}
    answer = Names(_ANSWER | extra, names.constants)
    texts: dict[str, str | None] = {
        name: getattr(step, name) for name in _JUDGED if name != "match" and hasattr(step, name)
    }
    texts |= {f"keep.{name}": text for name, text in step.keep.items()}
    texts |= {f"error.{name}": getattr(step.error, name) for name in ("code", "message")}
    for name, text in texts.items():
        check_expression(f"{place}.{name}", text, answer)


def constants_of(values: Mapping[str, Any]) -> frozenset[str]:
    """Names below `constants` that have a value."""
    return frozenset(name for name, value in values.items() if value is not None)
