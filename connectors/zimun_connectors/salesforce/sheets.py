"""A bulk job's data: records as CSV, and its results read again."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from zimun_connectors.salesforce.values import EMPTIES, to_cell

_LONGEST_CELL: Final = 1_000_000


def written(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as CSV, UTF-8, with a header, ready for a job of line ending LF.

    A field that a record lacks is an empty cell, which leaves it alone.
    """
    columns = list(dict.fromkeys(name for record in records for name in record))
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: to_cell(value) for name, value in record.items()})
    return sheet.getvalue().encode()


def fits(record: Mapping[str, Any]) -> bool:
    """Whether CSV can say what the record says: no text of it is the sign for emptying."""
    return EMPTIES not in record.values()


def rows(body: bytes) -> Iterator[Mapping[str, str]]:
    """The rows of a result, by column; none of an empty body."""
    csv.field_size_limit(_LONGEST_CELL)
    return csv.DictReader(io.StringIO(body.decode(), newline=""))
