"""Records of single days: which of them a listing could have brought."""

from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

#: Characters of the day that ends a key, and of the `@` before it.
_DAY: Final = len("2026-11-20")
_TAIL: Final = _DAY + 1


class Days(Struct, frozen=True):
    """A stretch of calendar days, for records whose keys end in `@` and their day.

    Args:
        first: the first day, by the location's calendar.
        last: the last day; before the first one, there is none.
    """

    first: date
    last: date

    def within(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether the day of a key lies within."""
        day = sa.func.substr(key, sa.func.length(key) - (_DAY - 1))
        return sa.and_(day >= self.first.isoformat(), day <= self.last.isoformat())

    def count(self, connection: Connection, table: sa.Table, *which: sa.ColumnElement[bool]) -> int:
        """How many there are within, all days of one counted once: they come and go together."""
        key = table.c.key
        whose: sa.ColumnElement[Any] = sa.func.substr(key, 1, sa.func.length(key) - _TAIL)
        query = sa.select(sa.func.count(sa.distinct(whose))).where(self.within(key), *which)
        return int(connection.execute(query).scalar_one())
