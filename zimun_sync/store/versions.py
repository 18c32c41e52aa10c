"""What the store knows of one record: the version that stands, and those before it."""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from zimun_sync.model import Row
from zimun_sync.normalize import unpack_row
from zimun_sync.store.database import Database
from zimun_sync.store.keys import of_keys
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import history, records


class Version(Struct, frozen=True):
    """One state of a record; times are microseconds since the epoch, UTC.

    Args:
        version: the source's own time of it.
        stands: whether it is the present one.
        deleted: whether it says that the record is gone.
        run_id: the run that brought it, or `webhook`.
        observed_at: when the store took it.
        superseded_at: when another took its place.
        row: content values in the order of the stream's columns.
    """

    version: int
    stands: bool
    deleted: bool
    run_id: str
    observed_at: int
    superseded_at: int | None
    row: Row


class Versions:
    """Looks up single records.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings

    def of(self, source: str, stream: str, key: str) -> list[Version]:
        """Every version of a record, the present one first; nothing for one that never was."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            present = _select(records, sa.null()).where(
                of_keys(self._database, listing, self._database.list_of([key]))
            )
            former = (
                _select(history, history.c.superseded_at)
                .where(history.c.listing == listing, history.c.key == key)
                .order_by(
                    history.c.correction.desc(), history.c.version.desc(), history.c.hash.desc()
                )
            )
            standing = connection.execute(present).all()
            before = connection.execute(former).all()
        return [_version(row, stands=True) for row in standing] + [
            _version(row, stands=False) for row in before
        ]


def _select(table: sa.Table, superseded_at: sa.ColumnElement[Any]) -> sa.Select[Any]:
    names = ("version", "deleted", "run_id", "observed_at", "row")
    return sa.select(*(table.c[name] for name in names), superseded_at.label("superseded_at"))


def _version(row: Any, *, stands: bool) -> Version:
    return Version(
        row.version,
        stands,
        row.deleted,
        row.run_id,
        row.observed_at,
        row.superseded_at,
        unpack_row(row.row),
    )
