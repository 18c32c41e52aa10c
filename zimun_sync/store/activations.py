"""What people decide about sinks that write to remote systems: consent, approval, forgetting."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.ids import Activation
from zimun_sync.model import from_micros, to_micros
from zimun_sync.store import creates
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.deliveries import ParkKind
from zimun_sync.store.schema import (
    remote_accounts,
    remote_calls,
    remote_creates,
    remote_ids,
    remote_persons,
    sink_notices,
    sinks,
)

_NOTHING_SENT: Final = b"\x80"  # an empty MessagePack map
_REMEMBERED: Final = (
    remote_accounts,
    remote_ids,
    remote_persons,
    remote_creates,
    remote_calls,
    sink_notices,
)
#: Parked for these, a sink waits for nothing but someone who has seen what it would write.
_LIFTED: Final = (ParkKind.INACTIVE, ParkKind.RESTORED)


class Activations:
    """Consents of people; every commit is durable.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, sink: str) -> Activation | None:
        """The consent to let a sink write; None without one."""
        with self._database.read() as connection:
            return consent(connection, sink)

    def activate(
        self,
        sink: str,
        starts_from: datetime | None,
        allowance: int,
        *,
        account: str | None = None,
    ) -> None:
        """Let a sink write, in place of any former consent; one parked for lack of it goes on.

        Args:
            sink: the sink's name.
            starts_from: appointments that start earlier are left out, aware; None for all.
            allowance: creates that were agreed to, beyond what a run may make.
            account: the remote account that was looked at: the sink writes to no other. One
                that ids belong to already stays.
        """
        values = {
            "activated_at": micros(self._clock),
            "starts_from": None if starts_from is None else to_micros(starts_from),
            "allowance": allowance,
        }
        insert = self._database.upsert(remote_accounts).values(sink=sink, account=account, **values)
        known = sa.func.coalesce(remote_accounts.c.account, insert.excluded.account)
        put = insert.on_conflict_do_update(
            index_elements=["sink"], set_=values | {"account": known}
        )
        with self._database.write(durable=True) as connection:
            connection.execute(put)
            connection.execute(
                sa.delete(sinks).where(sinks.c.name == sink, sinks.c.kind.in_(_LIFTED))
            )

    def deactivate(self, sink: str) -> bool:
        """Take the consent back; ids stay. Tells whether there was one."""
        active = sa.and_(
            remote_accounts.c.sink == sink, remote_accounts.c.activated_at.is_not(None)
        )
        with self._database.write(durable=True) as connection:
            ended = connection.execute(sa.update(remote_accounts).where(active).values(_NO_CONSENT))
            return ended.rowcount > 0

    def approve(self, sink: str) -> tuple[str, ...]:
        """Let a sink's held runs make all their creates; part of `resume`.

        Returns:
            Their run ids; `webhook:` and a day (UTC) for what webhooks brought.
        """
        with self._database.write(durable=True) as connection:
            return creates.approve(self._database, connection, sink, micros(self._clock))

    def doubt_sent(self, sink: str) -> None:
        """Trust nothing that was sent: the sink compares all of it with what is there now.

        Part of `replay` and `adopt`; harmless for sinks that remember nothing.
        """
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(remote_ids).where(remote_ids.c.sink == sink).values(doubted=True)
            )

    def forget(self, sink: str) -> None:
        """Forget everything of a sink: account, consent, ids, persons, counts and notices.

        Call it while holding the sink's lease: a delivery under way would go on remembering.
        """
        with self._database.write(durable=True) as connection:
            for table in _REMEMBERED:
                connection.execute(sa.delete(table).where(table.c.sink == sink))


_NO_CONSENT: Final = {"activated_at": None, "allowance": 0}


def consent(connection: Connection, sink: str) -> Activation | None:
    """The consent to let a sink write; None without one."""
    row = connection.execute(
        sa.select(remote_accounts.c.activated_at, remote_accounts.c.starts_from).where(
            remote_accounts.c.sink == sink, remote_accounts.c.activated_at.is_not(None)
        )
    ).one_or_none()
    if row is None:
        return None
    starts_from = None if row.starts_from is None else from_micros(row.starts_from)
    return Activation(from_micros(row.activated_at), starts_from)


def start_over(connection: Connection) -> list[str]:
    """Withdraw every consent, approval and trust, for the state fell behind the remote systems.

    What was created or sent since is not known here, so a person has to look again before
    anything is written.

    Returns:
        The sinks that remember something.
    """
    names = connection.execute(sa.select(remote_accounts.c.sink)).scalars().all()
    connection.execute(sa.update(remote_accounts).values(_NO_CONSENT))
    connection.execute(sa.update(remote_creates).values(approved=False))
    # Digests that are older than what is there would make our own values look like a person's.
    connection.execute(
        sa.update(remote_ids).where(remote_ids.c.sent != _NOTHING_SENT).values(sent=_NOTHING_SENT)
    )
    return list(names)
