"""What a sink remembers of its remote system, bound to its name and to its lease."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.ids import DOUBTED, Activation, IdState, Known
from zimun_sync.normalize import Suppressions
from zimun_sync.store import notices
from zimun_sync.store.activations import consent
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.creates import Counter, counted_as, give_back, spend
from zimun_sync.store.database import Database
from zimun_sync.store.forgettings import Forgettings
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.memory_forgetting import Remembered
from zimun_sync.store.schema import remote_accounts, remote_calls, remote_ids, remote_persons

_encode: Final = msgspec.msgpack.Encoder().encode
_sent: Final = msgspec.msgpack.Decoder(dict[str, str]).decode
_person: Final = msgspec.msgpack.Decoder(tuple[str, str, str]).decode


class SinkMemory:
    """One sink's `Memory`; without a lease it only reads.

    Args:
        database: the store's connections.
        clock: aware UTC now.
        sink: the sink's name.
        lease: the right to write for it; None for a memory whose every write is a mistake.
    """

    def __init__(self, database: Database, clock: Clock, sink: str, lease: Lease | None) -> None:
        self._database = database
        self._clock = clock
        self._sink = sink
        self._lease = lease

    def account(self) -> str | None:
        """The remote account that the ids belong to; None before the first contact."""
        query = sa.select(remote_accounts.c.account).where(remote_accounts.c.sink == self._sink)
        with self._database.read() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def claim(self, account: str) -> None:
        """Say which account the ids belong to; nothing else is changed.

        Raises:
            LeaseLost: another process took over this sink.
        """
        insert = self._database.upsert(remote_accounts)
        row = insert.values(sink=self._sink, account=account, allowance=0)
        with self._writing(durable=True) as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["sink"], set_={"account": account})
            )

    def activation(self) -> Activation | None:
        """The consent to write; None before it was given."""
        with self._database.read() as connection:
            return consent(connection, self._sink)

    def known(self, kind: str, keys: Collection[str], /) -> dict[str, Known]:
        """What is remembered of these objects of a kind, by key."""
        query = sa.select(*_KNOWN).where(self._among(kind, remote_ids.c.key, keys))
        with self._database.read() as connection:
            rows = connection.execute(query).all() if keys else ()
        return {row.key: _known(row) for row in rows}

    def remote(self, kind: str, ids: Collection[str], /) -> dict[str, str]:
        """Our key of each of these remote ids; of several (merged there) one that is linked."""
        linked = remote_ids.c.state == IdState.LINKED
        query = (
            sa.select(remote_ids.c.remote_id, remote_ids.c.key)
            .where(self._among(kind, remote_ids.c.remote_id, ids))
            .order_by(linked, remote_ids.c.key.desc())  # the last one stays
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all() if ids else ()
        return {row.remote_id: row.key for row in rows}

    def aliases(self, persons: Collection[str], /) -> dict[str, str]:
        """The contact's key by person key, of those that are known."""
        query = sa.select(remote_persons.c.person, remote_persons.c.contact_key).where(
            remote_persons.c.sink == self._sink,
            self._database.among(remote_persons.c.person, self._listed(persons)),
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all() if persons else ()
        return {row.person: row.contact_key for row in rows}

    def save(
        self, kind: str, entries: Sequence[Known], aliases: Mapping[str, str] | None = None, /
    ) -> None:
        """Remember objects, and person keys of contacts, in place of what was known of them.

        Raises:
            LeaseLost: another process took over this sink; nothing was remembered.
        """
        now = micros(self._clock)
        latest = {entry.key: entry for entry in entries}
        objects = [(self._sink, str(kind), *_row(entry), now) for entry in latest.values()]
        persons = [(self._sink, person, key) for person, key in (aliases or {}).items()]
        with self._writing(durable=True) as connection:
            self._put(connection, remote_ids, objects)
            self._put(connection, remote_persons, persons)

    def forgotten(self, appointments: Collection[str], /) -> dict[str, bool]:
        """Contacts of people who asked to be forgotten: by key, whether others need them too."""
        who = self._suppressions()
        with self._database.read() as connection:
            remembered = Remembered(connection, self._database, self._sink, who)
            return remembered.contacts(appointments)

    def forget(self, appointments: Collection[str], contacts: Collection[str], /) -> None:
        """Remember nothing of these contacts, nor whom these appointments were booked by.

        Raises:
            LeaseLost: another process took over this sink; nothing was forgotten.
            StoreError: the state's files could not be rewritten; it may be asked again.
        """
        who = self._suppressions()
        with self._writing(durable=True) as connection:
            remembered = Remembered(connection, self._database, self._sink, who)
            remembered.forget(appointments, contacts)
        self._database.rewrite((remote_ids, remote_persons))

    def _suppressions(self) -> Suppressions:
        return Forgettings(self._database, self._clock).suppressions()

    def spend(self, run_id: str, creates: int, limit: int, /) -> bool:
        """Count creates that a run is about to make, if they are within its limit.

        Args:
            run_id: the run that brought the records; what webhooks bring counts by UTC day.
            creates: how many; less than none gives back what was counted and not made.
            limit: how many a run may make.

        Returns:
            False if they exceed it: nothing was counted, and `resume` lets this run go on.

        Raises:
            LeaseLost: another process took over this sink.
        """
        if not creates:
            return True
        now = micros(self._clock)
        at = Counter(self._sink, counted_as(run_id, now), now)
        with self._writing(durable=True) as connection:
            if creates > 0:
                return spend(self._database, connection, at, creates, limit)
            give_back(self._database, connection, at, -creates)
            return True

    def calls(self, day: date, made: int = 0, /) -> int:
        """Add calls made on a day (UTC) to its count, and return the count.

        A power loss may take back the last ones; a call is not worth waiting for the disk.

        Raises:
            LeaseLost: calls were made, but another process took over this sink.
        """
        at = (remote_calls.c.sink == self._sink, remote_calls.c.day == day.isoformat())
        if made:
            with self._writing(durable=False) as connection:
                return self._count_calls(connection, day, made)
        with self._database.read() as connection:
            query = sa.select(remote_calls.c.calls).where(*at)
            return int(connection.execute(query).scalar_one_or_none() or 0)

    def notice(self, code: str, subject: str, message: str, /) -> None:
        """Report something that a person may want to mend: once for each code and subject.

        A power loss may take back the last ones; they come again with the next batch.

        Raises:
            LeaseLost: another process took over this sink.
        """
        with self._writing(durable=False) as connection:
            at = (self._sink, code, subject)
            notices.put(self._database, connection, at, message, micros(self._clock))

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[Connection]:
        if self._lease is None:
            msg = f"the memory of sink {self._sink!r} was opened without its lease: it only reads"
            raise RuntimeError(msg)
        with self._database.write(durable=durable) as connection:
            check(connection, self._lease)
            yield connection

    def _put(
        self, connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        names = [column.name for column in table.columns]
        keys = [column.name for column in table.primary_key]
        insert = self._database.upsert(table).values(dict.fromkeys(names))
        others = {name: insert.excluded[name] for name in names if name not in keys}
        put = insert.on_conflict_do_update(index_elements=keys, set_=others)
        self._database.insert_many(connection, put, sorted(rows))

    def _count_calls(self, connection: Connection, day: date, made: int) -> int:
        now = micros(self._clock)
        insert = self._database.upsert(remote_calls).values(
            sink=self._sink, day=day.isoformat(), calls=made, updated_at=now
        )
        more = {"calls": remote_calls.c.calls + made, "updated_at": now}
        put = insert.on_conflict_do_update(index_elements=["sink", "day"], set_=more)
        return int(connection.execute(put.returning(remote_calls.c.calls)).scalar_one())

    def _among(
        self, kind: str, column: sa.Column[Any], values: Iterable[str]
    ) -> sa.ColumnElement[bool]:
        return sa.and_(
            remote_ids.c.sink == self._sink,
            remote_ids.c.kind == str(kind),
            self._database.among(column, self._listed(values)),
        )

    def _listed(self, values: Iterable[str]) -> list[str] | str:
        return self._database.list_of(sorted(set(values)))


_NOT_KNOWN: Final = {"sink", "kind", "updated_at"}
_KNOWN: Final = tuple(each for each in remote_ids.columns if each.name not in _NOT_KNOWN)


def _row(entry: Known) -> tuple[Any, ...]:
    """Its columns from `key` to `person`."""
    return (
        entry.key,
        str(entry.state),
        entry.remote_id,
        entry.version,
        _encode({name: value for name, value in entry.sent.items() if name != DOUBTED}),
        DOUBTED in entry.sent,
        entry.token,
        entry.contact,
        entry.linked_to,
        _encode(entry.person),
    )


def _known(row: Any) -> Known:
    return Known(
        key=row.key,
        state=IdState(row.state),
        remote_id=row.remote_id,
        version=row.version,
        sent=_sent(row.sent) | ({DOUBTED: "replay"} if row.doubted else {}),
        token=row.token,
        contact=row.contact,
        linked_to=row.linked_to,
        person=_person(row.person),
    )
