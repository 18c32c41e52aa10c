"""Fields of the source that no column is made of: remembered, so that each is told once ever."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.model import ColumnType
from zimun_sync.normalize import Noticed
from zimun_sync.normalize.noticing import MOST_FIELDS
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import known_fields

_NUMBERS = frozenset({ColumnType.INTEGER, ColumnType.DECIMAL})
_TEXTS = frozenset({ColumnType.TEXT, ColumnType.INSTANT, ColumnType.DATE})


class KnownField(Struct, frozen=True):
    """A field that came up in records and that no column is made of by itself.

    Args:
        source: the source's name.
        stream: whose records have it.
        field: the source's name of it.
        json_types: of its values, in the order they were seen.
        suggested: the type that a column of such values would have.
        first_at: when it was noticed, microseconds since the epoch, UTC.
    """

    source: str
    stream: str
    field: str
    json_types: tuple[str, ...]
    suggested: ColumnType
    first_at: int


class Fields:
    """Remembers fields; thread safe.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        #: What this process has remembered: the same fields come up in every listing.
        self._told: frozenset[tuple[str, str, Noticed]] = frozenset()

    def notice(self, source: str, stream: str, noticed: Iterable[Noticed]) -> list[KnownField]:
        """Remember fields; those that nobody has heard of before are returned, and only once.

        Raises:
            StoreError: the state could not be read or written; nothing was remembered.
        """
        new = [each for each in noticed if (source, stream, each) not in self._told]
        if not new:
            return []
        with self._database.read() as connection:
            known = _known(connection, source, stream)
        found: list[KnownField] = []
        if _teaches(known, new):
            with self._database.write(durable=False) as connection:
                known = _known(connection, source, stream)
                found = self._remember(connection, (source, stream), known, new)
        self._told |= {(source, stream, each) for each in new if each.field in known}
        return found

    def all(self) -> list[KnownField]:
        """Every field that is remembered, by source, stream and age."""
        order = (known_fields.c.source, known_fields.c.stream)
        query = sa.select(known_fields).order_by(
            *order, known_fields.c.first_at, known_fields.c.field
        )
        with self._database.read() as connection:
            return [_field(row) for row in connection.execute(query)]

    def _remember(
        self,
        connection: Connection,
        at: tuple[str, str],
        known: dict[str, KnownField],
        noticed: Sequence[Noticed],
    ) -> list[KnownField]:
        before = set(known)
        for each in noticed:
            if each.field in known:
                known[each.field] = _with_type(known[each.field], each)
            elif len(known) < MOST_FIELDS:
                types, now = (each.json_type,), micros(self._clock)
                known[each.field] = KnownField(*at, each.field, types, each.suggested, now)
        touched = dict.fromkeys(each.field for each in noticed if each.field in known)
        for field in touched:
            self._put(connection, known[field])
        return [known[field] for field in touched if field not in before]

    def _put(self, connection: Connection, field: KnownField) -> None:
        insert = self._database.upsert(known_fields).values(
            source=field.source,
            stream=field.stream,
            field=field.field,
            json_types=",".join(field.json_types),
            suggested=field.suggested.value,
            first_at=field.first_at,
        )
        names = ("json_types", "suggested")
        again = {name: insert.excluded[name] for name in names}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["source", "stream", "field"], set_=again)
        )


def _known(connection: Connection, source: str, stream: str) -> dict[str, KnownField]:
    query = sa.select(known_fields).where(
        known_fields.c.source == source, known_fields.c.stream == stream
    )
    return {row.field: _field(row) for row in connection.execute(query)}


def _field(row: sa.Row[Any]) -> KnownField:
    source, stream, field, types, suggested, first_at = tuple(row)
    kinds = tuple(types.split(","))
    return KnownField(source, stream, field, kinds, ColumnType(suggested), first_at)


def _teaches(known: dict[str, KnownField], noticed: Iterable[Noticed]) -> bool:
    room = len(known) < MOST_FIELDS
    return any(
        each.json_type not in known[each.field].json_types if each.field in known else room
        for each in noticed
    )


def _with_type(known: KnownField, noticed: Noticed) -> KnownField:
    """The same field with one more type of values, if it is another one."""
    if noticed.json_type in known.json_types:
        return known
    suggested = _common({known.suggested, noticed.suggested})
    types = (*known.json_types, noticed.json_type)
    return KnownField(known.source, known.stream, known.field, types, suggested, known.first_at)


def _common(types: set[ColumnType]) -> ColumnType:
    """The narrowest type that holds values of all of them."""
    if len(types) == 1:
        return next(iter(types))
    if types <= _NUMBERS:
        return ColumnType.DECIMAL
    return ColumnType.TEXT if types <= _TEXTS else ColumnType.JSON
