"""What a sink remembers of people who asked to be forgotten, and its removal."""

from collections.abc import Collection
from typing import Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.ids import IdState
from zimun_sync.normalize import Kind, Suppressions
from zimun_sync.store.database import Database
from zimun_sync.store.schema import remote_ids, remote_persons

_CONTACT, _APPOINTMENT = "contact", "appointment"
_NOBODY: Final = msgspec.msgpack.encode(("", "", ""))
_THERE: Final = (IdState.LINKED, IdState.INTENDED)


class Remembered(msgspec.Struct, frozen=True):
    """One sink's rows, within a transaction of the caller's.

    Args:
        connection: of the transaction.
        database: of the connection.
        sink: the sink's name.
        who: everybody who asked to be forgotten.
    """

    connection: Connection
    database: Database
    sink: str
    who: Suppressions

    def contacts(self, appointments: Collection[str]) -> dict[str, bool]:
        """See `Memory.forgotten`."""
        of_them = self._among(remote_ids.c.key, appointments)
        found = self._suppressed() | self._contacts_of(of_them)
        there = remote_ids.c.state.in_(_THERE)
        needed = self._contacts_of(sa.and_(there, sa.not_(of_them)))
        return {key: key in needed for key in sorted(found)}

    def forget(self, appointments: Collection[str], contacts: Collection[str]) -> None:
        """See `Memory.forget`."""
        of_them = self._among(remote_ids.c.key, appointments)
        bookings = sa.update(remote_ids).where(self._of(_APPOINTMENT), of_them)
        self.connection.execute(bookings.values(contact=None, person=_NOBODY))
        gone = self._among(remote_ids.c.key, contacts)
        self.connection.execute(sa.delete(remote_ids).where(self._of(_CONTACT), gone))
        persons = [each for each, _ in self._aliases() if self._is_theirs(each)]
        named = self._among(remote_persons.c.person, persons)
        led_there = self._among(remote_persons.c.contact_key, contacts)
        aliases = sa.delete(remote_persons).where(remote_persons.c.sink == self.sink)
        self.connection.execute(aliases.where(sa.or_(named, led_there)))

    def _suppressed(self) -> set[str]:
        if not self.who:
            return set()
        keys = sa.select(remote_ids.c.key, remote_ids.c.key).where(self._of(_CONTACT))
        known = [*self._aliases(), *map(tuple, self.connection.execute(keys))]
        return {contact for key, contact in known if self._is_theirs(key) and ":" in contact}

    def _aliases(self) -> list[tuple[str, str]]:
        query = sa.select(remote_persons.c.person, remote_persons.c.contact_key)
        found = self.connection.execute(query.where(remote_persons.c.sink == self.sink))
        return [(row.person, row.contact_key) for row in found]

    def _is_theirs(self, key: str) -> bool:
        """Whether a person key, or a contact's key that was made of one, is somebody's of them."""
        kind, _, value = key.partition(":")
        return self.who.name(cast("Kind", kind), value.partition(" ")[0])

    def _contacts_of(self, which: sa.ColumnElement[bool]) -> set[str]:
        query = sa.select(remote_ids.c.contact).where(
            self._of(_APPOINTMENT), remote_ids.c.contact.is_not(None), which
        )
        return set(self.connection.execute(query.distinct()).scalars())

    def _of(self, kind: str) -> sa.ColumnElement[bool]:
        return sa.and_(remote_ids.c.sink == self.sink, remote_ids.c.kind == kind)

    def _among(self, column: sa.Column[str], values: Collection[str]) -> sa.ColumnElement[bool]:
        return self.database.among(column, self.database.list_of(sorted(values)))
