"""What HubSpot says when it refuses: a whole call, or some of its rows."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zimun_sync.remotes.calls import Answer

_CONFLICTS: Final = frozenset(
    {"conflict", "object-already-exists", "contact-exists", "conflicting-unique-value"}
)
_UNKNOWN: Final = "property-doesnt-exist"
_EXISTING: Final = re.compile(r"Existing ID: (\d+)|\b(\d+) already has that value")
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error of an answer. HubSpot may leave out any part of it.

    Args:
        codes: its words for it, the most telling first, in lower case with dashes.
        message: its own words.
        context: what it refers to, by name: trace ids, object ids, scopes.
        properties: names of the properties that it is about.
    """

    codes: tuple[str, ...]
    message: str
    context: Mapping[str, tuple[str, ...]]
    properties: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The most telling of its words."""
        return self.codes[0] if self.codes else "refused"

    @property
    def is_conflict(self) -> bool:
        """Whether another object already has a value that must be unique."""
        return not _CONFLICTS.isdisjoint(self.codes)

    @property
    def is_missing(self) -> bool:
        """Whether an object that it is about is not there."""
        return any(code.endswith("not-found") for code in self.codes)

    @property
    def unknown_properties(self) -> tuple[str, ...]:
        """Names of properties that the portal does not have."""
        return self.properties if _UNKNOWN in self.codes else ()

    @property
    def existing_id(self) -> str | None:
        """Of a conflict: the id of the object that has the value, where it is told."""
        if told := self.context.get("existingId"):
            return told[0]
        found = _EXISTING.search(self.message)
        return next(filter(None, found.groups())) if found else None

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes that the app lacks, any one of which may do."""
        named = [ids for name, ids in self.context.items() if name.lower().endswith("scopes")]
        return tuple(dict.fromkeys(scope for ids in named for scope in ids))


def trouble_of(answer: Answer) -> Trouble:
    """Why a call was refused as a whole."""
    body = body_of(answer)
    return _trouble(body, answer.remark() or f"HTTP {answer.status}")


def row_troubles(body: Mapping[str, Any]) -> list[Trouble]:
    """Errors of single rows in an answer's body (207 Multi-Status)."""
    errors = [error for error in body.get("errors") or [] if isinstance(error, Mapping)]
    return [_trouble(error, "HubSpot refused it without a word.") for error in errors]


def body_of(answer: Answer) -> Mapping[str, Any]:
    """The body as a JSON object; empty if it is something else, as a proxy's page is."""
    try:
        body = json.loads(answer.body or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _trouble(error: Mapping[str, Any], otherwise: str) -> Trouble:
    message = error.get("message")
    text = message if isinstance(message, str) and message else otherwise
    details = [*_mappings(error.get("errors")), *_embedded(text)]
    contexts = [error.get("context"), *(detail.get("context") for detail in details)]
    return Trouble(
        codes=tuple(dict.fromkeys(_codes(error, details))),
        message=text,
        context=_merged(contexts),
        properties=tuple(dict.fromkeys(_properties(details))),
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _embedded(message: str) -> list[Mapping[str, Any]]:
    """Details that HubSpot puts into the message: `… not valid: [{"error": …, "name": …}]`."""
    start = message.find("[{")
    if start < 0:
        return []
    try:
        found, _ = json.JSONDecoder().raw_decode(message[start:])
    except ValueError:
        return []
    return _mappings(found)


def _codes(error: Mapping[str, Any], details: list[Mapping[str, Any]]) -> Iterator[str]:
    named = [detail.get(name) for detail in details for name in ("code", "error", "subCategory")]
    for value in [*named, error.get("subCategory"), error.get("category"), error.get("error")]:
        # The last word of `crm.associations.TO_OBJECT_NOT_FOUND` is the one that tells.
        if isinstance(value, str) and (code := _dashed(value.rpartition(".")[2])):
            yield code


def _dashed(word: str) -> str:
    return _NO_WORD.sub("-", word.lower()).strip("-")


def _properties(details: list[Mapping[str, Any]]) -> Iterator[str]:
    for detail in details:
        context = detail.get("context")
        named = context.get("propertyName") if isinstance(context, Mapping) else None
        yield from (name for name in _texts(named) or _texts(detail.get("name")))


def _merged(contexts: list[Any]) -> dict[str, tuple[str, ...]]:
    merged: dict[str, tuple[str, ...]] = {}
    for context in contexts:
        if isinstance(context, Mapping):
            for name, value in context.items():
                merged[name] = merged.get(name, ()) + _texts(value)
    return merged


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(str(each) for each in values if isinstance(each, str | int))
