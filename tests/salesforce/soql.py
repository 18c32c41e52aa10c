"""As much of SOQL as the connector asks in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.salesforce.schema import Column

Condition = Callable[[Mapping[str, Any]], bool]

_TOKEN: Final = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[(),]|!=|=|[A-Za-z_][A-Za-z0-9_.]*)")
_QUERY: Final = re.compile(
    r"SELECT (?P<fields>.+?) FROM (?P<table>\w+)(?: WHERE (?P<where>.+))?", re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Malformed(Exception):
    """A query that Salesforce would not run.

    Args:
        code: Salesforce's.
        message: its words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood. `fields` is empty for `COUNT()`."""

    table: str
    fields: tuple[str, ...]
    where: Condition


def parse(text: str, tables: Mapping[str, Mapping[str, Column]]) -> Query:
    found = _QUERY.fullmatch(text)
    if found is None or found["table"] not in tables:
        raise Malformed("MALFORMED_QUERY", f"unexpected token in {text[:60]}")
    columns = {name.lower(): name for name in tables[found["table"]]}
    counts = found["fields"] == "COUNT()"
    names = [] if counts else [name.strip() for name in found["fields"].split(",")]
    parser = _Parser(found["where"] or "", columns, found["table"])
    fields = tuple(parser.column(name) for name in names)
    return Query(found["table"], fields, parser.whole())


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, str], table: str) -> None:
        self._tokens = self._scan(text)
        self._columns = columns
        self._table = table

    def _scan(self, text: str) -> list[str]:
        tokens, position = [], 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None:
                raise Malformed("MALFORMED_QUERY", f"unexpected token at {position}")
            tokens.append(found[1])
            position = found.end()
        return tokens

    def column(self, name: str) -> str:
        if name.lower() not in self._columns:
            raise Malformed("INVALID_FIELD", f"No such column '{name}' on entity '{self._table}'.")
        return self._columns[name.lower()]

    def whole(self) -> Condition:
        if not self._tokens:
            return lambda _: True
        condition = self._either()
        if self._tokens:
            raise Malformed("MALFORMED_QUERY", f"unexpected token: {self._tokens[0]}")
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._takes("OR"):
            parts.append(self._both())
        return lambda record: any(part(record) for part in parts)

    def _both(self) -> Condition:
        parts = [self._single()]
        while self._takes("AND"):
            parts.append(self._single())
        return lambda record: all(part(record) for part in parts)

    def _single(self) -> Condition:
        if self._takes("("):
            inner = self._either()
            self._must("(", ")")
            return inner
        name = self.column(self._tokens.pop(0))
        match self._tokens.pop(0):
            case "IN":
                wanted = self._list(name)
                return lambda record: _folded(name, record[name]) in wanted
            case "LIKE":
                like = _like(_text(self._tokens.pop(0)))
                return lambda record: bool(like.fullmatch(record[name] or ""))
            case "=":
                value = _value(self._tokens.pop(0))
                return lambda record: record[name] == value
            case "!=":
                unlike = _value(self._tokens.pop(0))
                return lambda record: record[name] != unlike
            case token:
                raise Malformed("MALFORMED_QUERY", f"unexpected token: {token}")

    def _list(self, name: str) -> set[Any]:
        self._must("IN", "(")
        wanted: set[Any] = set()
        while not self._takes(")"):
            wanted.add(_folded(name, _text(self._tokens.pop(0))))
            self._takes(",")
        return wanted

    def _takes(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _must(self, after: str, token: str) -> None:
        if not self._takes(token):
            raise Malformed("MALFORMED_QUERY", f"expecting {token} after {after}")


def _folded(name: str, value: Any) -> Any:
    """Ids are compared by their 15 characters, our keys exactly, other texts without case."""
    if not isinstance(value, str):
        return value
    if name == "Id":
        return value[:15]
    return value if name == "Zimun_Key__c" else value.lower()


def _text(token: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])


def _value(token: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    return words[token] if token in words else _text(token)


def _like(pattern: str) -> re.Pattern[str]:
    parts = [".*" if part == "%" else re.escape(part) for part in re.split("(%)", pattern)]
    return re.compile("".join(parts), re.DOTALL | re.IGNORECASE)
