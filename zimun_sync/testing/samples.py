"""Batches the contract writes: every column type with its awkward values, and a long story."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from zimun_sync.model import APPOINTMENTS, SERVICES, ColumnType, Row, Stream
from zimun_sync.sinks import Batch
from zimun_sync.testing.builders import delete, make_batch, make_row, upsert

_TEXTS = (
    "plain",
    "",
    "Zoë \N{SNOWMAN} 李小龍 \N{GRINNING FACE} שלום",
    "comma, \"quote\" and 'apostrophe'",
    "line one\nline two\r\nline three\rend",
    "=1+1",
    "@SUM(A1)",
    "'=already guarded",
    " \ttab and spaces around \t ",
    "NULL",
    "\\N",
    "007",
    "semi;colon|pipe\\backslash",
    "e\N{COMBINING ACUTE ACCENT} is not \N{LATIN SMALL LETTER E WITH ACUTE}",
)

#: Values of each column type that have broken sinks before; NULL is added by `awkward_rows`.
AWKWARD: dict[ColumnType, tuple[Any, ...]] = {
    ColumnType.TEXT: _TEXTS,
    ColumnType.INTEGER: (0, 1, -720, 2**63 - 1, -(2**63) + 1),
    ColumnType.BOOLEAN: (True, False),
    ColumnType.DECIMAL: tuple(
        map(Decimal, ("0", "49.50", "-12.5", "0.0001", "99999999999999.9999", "1000000"))
    ),
    ColumnType.INSTANT: (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, 0, 1, tzinfo=UTC),
        datetime(1901, 12, 13, 20, 45, 51, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ),
    ColumnType.LOCAL_TIME: (
        datetime(2026, 10, 25, 2, 30),  # noqa: DTZ001 - a wall clock has no zone
        datetime(2026, 3, 29, 2, 30, 0, 5),  # noqa: DTZ001 - as above
        datetime(1969, 12, 31, 23, 59, 59),  # noqa: DTZ001 - as above
    ),
    ColumnType.DATE: (date(2024, 2, 29), date(1969, 12, 31), date(9999, 12, 31)),
    ColumnType.JSON: (
        "{}",
        "[]",
        '{"a":[1,2.50,null,true],"ключ":"ü \\" \\\\ \\n"}',
        '["one","two, three"]',
        "12345678901234567890.123",
    ),
}

#: Keys that have to survive quoting in any storage.
KEYS = ("a_1", "a 2", "A_1", "a,3", 'a"4', "a'5; --", "ä_6", "a\n7", "%8_", "9")


def awkward_rows(stream: Stream) -> dict[str, Row]:
    """Rows by key that bring every awkward value, and NULL, to every column of the stream."""
    count = max(len(_TEXTS), len(KEYS)) + 1
    rows = {}
    for index in range(count):
        key = KEYS[index] if index < len(KEYS) else f"k_{index}"
        values = {
            column.name: _pick(column.type, index + shift)
            for shift, column in enumerate(stream.filled)
            if column.name != stream.key
        }
        rows[key] = make_row(stream, key, **values)
    return rows


def _pick(kind: ColumnType, index: int) -> Any:
    values = (*AWKWARD[kind], None)
    return values[index % len(values)]


def awkward_batch(stream: Stream, source: str = "main") -> Batch:
    """One batch of `awkward_rows`."""
    rows = awkward_rows(stream).items()
    changes = [upsert(seq, key, row) for seq, (key, row) in enumerate(rows, start=1)]
    return make_batch(*changes, stream=stream, source=source)


def plain_row(stream: Stream, key: str, mark: object) -> Row:
    """A row with little more than its key and a text that tells it from others."""
    texts = (c.name for c in stream.content if c.type is ColumnType.TEXT and c.name != stream.key)
    return make_row(stream, key, **{next(texts): f"mark {mark}"})


#: Batches in `story`, and records in each.
STORY_BATCHES, STORY_RECORDS = 16, 20


def story() -> Iterator[Batch]:
    """Batches that insert, change and delete; the same at every call, in any process."""
    for index in range(STORY_BATCHES):
        first = index * STORY_RECORDS + 1
        stream = SERVICES if index % 3 == 2 else APPOINTMENTS  # noqa: PLR2004 - every third one
        changes = [_episode(seq, stream) for seq in range(first, first + STORY_RECORDS)]
        more = index < STORY_BATCHES - 1
        yield make_batch(*changes, stream=stream, more=more)


def _episode(seq: int, stream: Stream) -> Any:
    key = f"k_{seq * 7 % 90}"
    if seq % 11 == 0:
        return delete(seq, key)
    return upsert(seq, key, plain_row(stream, key, seq))
