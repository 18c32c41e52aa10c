"""Stored values as psycopg takes them, refusing what PostgreSQL could not hold as it is."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from zimun_sync.model import (
    DECIMAL_PRECISION,
    DECIMAL_SCALE,
    ColumnType,
    Stream,
    from_micros,
    to_python,
)
from zimun_sync.sinks import Batch, Rejection, StoredChange

_MOST_DIGITS: Final = DECIMAL_PRECISION - DECIMAL_SCALE
_LEAST, _MOST = -(2**63), 2**63 - 1

#: Each JSON escape; the code is captured unless it belongs to a well-formed pair.
_ESCAPES: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(....)|.)")
_UNPAIRED: Final = re.compile("[dD][89a-fA-F]")

Convert = Callable[[Any], Any]


class UnstorableError(Exception):
    """A value that PostgreSQL has no place for.

    Args:
        code: as in `Rejection`.
        message: what is wrong, without the value.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StagedRow(NamedTuple):
    """One change, ready to be copied.

    Args:
        key: the record's key.
        values: of the stream's columns, then `_hash` and whether it is a deletion.
    """

    key: str
    values: Sequence[Any]


def _text(value: str) -> str:
    if "\0" in value:
        raise UnstorableError("nul-character", "PostgreSQL stores no text with a NUL character.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _lone_surrogate() from None
    return value


def _lone_surrogate() -> UnstorableError:
    return UnstorableError("lone-surrogate", "The text has half of a surrogate pair: it is broken.")


def _json(value: str) -> Jsonb:
    _text(value)
    if "\\u" in value:
        for code in _ESCAPES.findall(value):
            _refuse_escape(code)
    return Jsonb(value, dumps=str)


def _refuse_escape(code: str) -> None:
    if code == "0000":
        raise UnstorableError("nul-character", "PostgreSQL stores no JSON with a NUL character.")
    if _UNPAIRED.match(code):
        raise _lone_surrogate()


def _integer(value: int) -> int:
    if not _LEAST <= value <= _MOST:
        raise UnstorableError("out-of-range", "The number needs more than 64 bits.")
    return value


def _decimal(value: str) -> Decimal:
    try:
        number = Decimal(value)
        exact = number == round(number, DECIMAL_SCALE) and number.adjusted() < _MOST_DIGITS
    except (InvalidOperation, ValueError):  # no number, or not a finite one
        exact = False
    if not exact:
        raise UnstorableError(
            "out-of-range",
            f"The number does not fit {_MOST_DIGITS} digits before the point and {DECIMAL_SCALE} "
            "behind it.",
        )
    return number


def _time(kind: ColumnType) -> Convert:
    def convert(value: int) -> Any:
        try:
            return to_python(value, kind)
        except (OverflowError, ValueError):
            raise UnstorableError("out-of-range", "The year is not within 1 to 9999.") from None

    return convert


def _as_it_is(value: Any) -> Any:
    return value


_CONVERTERS: Final[dict[ColumnType, Convert]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.BOOLEAN: _as_it_is,
    ColumnType.DECIMAL: _decimal,
    ColumnType.INSTANT: _time(ColumnType.INSTANT),
    ColumnType.LOCAL_TIME: _time(ColumnType.LOCAL_TIME),
    ColumnType.DATE: _time(ColumnType.DATE),
    ColumnType.JSON: _json,
}


def staged_rows(batch: Batch) -> tuple[list[StagedRow], list[Rejection]]:
    """The batch's changes ready to be copied, and those with a value that cannot be stored."""
    converters = [_CONVERTERS[column.type] for column in batch.stream.filled]
    rows: list[StagedRow] = []
    rejected: list[Rejection] = []
    for change in batch.stored:
        row = _staged(batch, change, converters)
        if isinstance(row, Rejection):
            rejected.append(row)
        else:
            rows.append(row)
    return rows, rejected


def _staged(
    batch: Batch, change: StoredChange, converters: Sequence[Convert]
) -> StagedRow | Rejection:
    values: list[Any] = []
    try:
        if change.row is None:
            values += _only_key(batch.stream, _text(change.key))
        else:
            for convert, value in zip(converters, change.row, strict=True):
                values.append(None if value is None else convert(value))
    except UnstorableError as error:
        column = batch.stream.filled[len(values)].name if change.row else batch.stream.key
        return Rejection(change.key, error.code, f"{column}: {error}")
    values += (batch.source, change.seq, change.run_id, from_micros(change.observed_at))
    values += (UUID(change.hash) if change.hash else None, change.row is None)
    return StagedRow(change.key, values)


def _only_key(stream: Stream, key: str) -> list[Any]:
    return [key if column.name == stream.key else None for column in stream.filled]
