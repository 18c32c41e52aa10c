"""Columns that were read from canonical lines as columns of CSV cells in any spelling.

A column at a time, and by Arrow: a whole file is spelled anew whenever one of its rows changed.
Which cells get an apostrophe or quotes is told in `zimun_connectors.csv.guarding`.
"""

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from zimun_connectors.csv.format import Format
from zimun_connectors.csv.guarding import GUARDED, PHONE
from zimun_sync.model import Column, ColumnType

_MICROS = 1_000_000


def cells(column: Column, values: pa.Array, spelling: Format) -> pa.Array:
    """The column's cells as text; NULL stays NULL.

    Args:
        column: name and type.
        values: text for TEXT, JSON and DECIMAL, and Arrow's own type for every other; instants
            as naive timestamps in the zone they are to be shown in.
        spelling: how to spell them.
    """
    if values.null_count == len(values):
        return values.cast(pa.string())
    match column.type:
        case ColumnType.TEXT:
            guarded = values if column.name in spelling.unguarded else guard(values)
            found = quote(guarded, spelling.delimiter)
        case ColumnType.JSON:
            found = quote(values, spelling.delimiter)
        case ColumnType.DECIMAL:
            found = pc.replace_substring(values, ".", spelling.decimal_separator)
        case ColumnType.INSTANT:
            found = _clock(values, zone="Z", excel=spelling.wall_clock)
        case ColumnType.LOCAL_TIME:
            found = _clock(values, zone="", excel=spelling.wall_clock)
        case _:
            found = values.cast(pa.string())
    return found


def guard(texts: pa.Array) -> pa.Array:
    """Texts with an apostrophe before those that a spreadsheet might run."""
    first = pc.binary_slice(texts.cast(pa.binary()), 0, 1)
    doubtful = pc.and_not(pc.is_valid(texts), pc.is_in(first, value_set=_harmless()))
    if not pc.any(doubtful).as_py():
        return texts
    looked_at = pc.if_else(doubtful, texts, "")
    risky = pc.and_not(
        pc.match_substring_regex(looked_at, f"^{GUARDED}"),
        pc.match_substring_regex(looked_at, f"^{PHONE}$"),
    )
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


@cache
def _harmless() -> pa.Array:
    """First bytes that make a text neither a formula nor in need of a closer look.

    Made when first needed: Arrow's first array brings in pandas where that is installed.
    """
    return pa.array([bytes([byte]) for byte in range(0x21, 0x7F) if chr(byte) not in "=+-@'"])


def unguard(texts: pa.Array) -> pa.Array:
    """What `guard` was given."""
    return pc.if_else(pc.starts_with(texts, "'"), pc.utf8_slice_codeunits(texts, 1), texts)


def quote(texts: pa.Array, delimiter: str) -> pa.Array:
    """Texts in quotes where a reader of CSV needs them."""
    needed = pc.equal(texts, "")
    if _holds(texts, b'"', b"\r", b"\n", delimiter.encode()):
        needed = pc.or_(needed, pc.match_substring_regex(texts, f'["\r\n{re.escape(delimiter)}]'))
    if not pc.any(needed).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def _holds(texts: pa.Array, *parts: bytes) -> bool:
    """Whether any of the parts may be in any of the texts; a look at the raw bytes is enough."""
    data = texts.buffers()[2]
    raw = data.to_pybytes() if data else b""
    return any(part in raw for part in parts)


def _clock(times: pa.Array, *, zone: str, excel: bool) -> pa.Array:
    """Times as ISO-8601; for Excel to whole seconds and with a space, or it sees mere text."""
    seconds = times.cast(pa.timestamp("s"), safe=False)
    micros = times.cast(pa.int64())
    broken = pc.not_equal(pc.multiply(seconds.cast(pa.int64()), _MICROS), micros)
    text = seconds.cast(pa.string())
    if pc.any(broken).as_py():
        exact = pc.utf8_slice_codeunits(times.cast(pa.string()), 0, 19 if excel else None)
        text = pc.if_else(broken, exact, text)
    if excel:
        return text
    return pc.binary_join_element_wise(pc.binary_replace_slice(text, 10, 11, "T"), zone, "")
