"""What a state tells of itself, whatever its schema."""

from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from zimun_sync.errors import StoreError
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Holder
from zimun_sync.store.revisions import no_state, revision
from zimun_sync.store.schema import identity, leases, offsets, runs


class Facts(msgspec.Struct, frozen=True):
    """A state's own account; times are microseconds since the epoch, UTC.

    Args:
        store_id: who it is; sinks that are files remember it.
        schema: the schema it has.
        created_at: when it was made.
        as_of: the latest work it knows of; of a copy, about when that was made.
    """

    store_id: str
    schema: str
    created_at: int
    as_of: int


def facts_in(path: Path) -> Facts:
    """The facts of the SQLite state at `path`, which stays as it is.

    Raises:
        StateUnreadable: damaged, or not a zimun-sync state.
        StoreError: not there, or not readable.
    """
    if not path.is_file():
        raise StoreError(f"There is no file {path}.", hint="Check the path.")
    database = Database(URL.create("sqlite", database=str(path)))
    try:
        with database.read() as connection:
            return facts_of(connection)
    finally:
        database.close()


def facts_of(connection: Connection) -> Facts:
    """The facts of the state that a connection leads to.

    Raises:
        StateUnreadable: it leads to something else.
    """
    schema = revision(connection)
    if schema is None:
        raise no_state(connection)
    row = connection.execute(sa.select(identity.c.store_id, identity.c.created_at)).one()
    times = (sa.func.max(runs.c.updated_at), sa.func.max(offsets.c.updated_at))
    latest = [connection.execute(sa.select(time)).scalar_one() or 0 for time in times]
    return Facts(row.store_id, schema, row.created_at, max(row.created_at, *latest))


def held(connection: Connection, now: int) -> dict[str, Holder]:
    """Leases that living processes hold, by name; `now`: microseconds since the epoch, UTC."""
    query = sa.select(leases.c.name, leases.c.holder).where(leases.c.expires_at > now)
    rows = connection.execute(query.order_by(leases.c.name)).all()
    holders = {row.name: msgspec.json.decode(row.holder, type=Holder) for row in rows}
    return {name: holder for name, holder in holders.items() if not holder.is_gone()}
