"""Records in the order in which they came, and their keys in an index of its own.

SQLite cannot take a primary key away: rows move into a new table. The room of the old one stays
in the file, for what comes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

#: `zimun_sync.store.keys` tells what it stands for.
_NUMBERS = 2**40
_KEPT = (
    "listing, key, seq, correction, overruled, version, since, deleted, hash, row_hash, row, raw, "
    "run_id, observed_at"
)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Move what there is."""
    op.rename_table("records", "records_before")
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE records_before RENAME CONSTRAINT records_pkey TO records_before_pkey"
        )
    _create_records()
    op.execute(
        f"INSERT INTO records (id, {_KEPT}) SELECT listing * {_NUMBERS} + seq, {_KEPT} "  # noqa: S608 - nothing from outside
        "FROM records_before ORDER BY listing, seq"
    )
    op.drop_table("records_before")
    _create_indexes()
    _create_keys()
    op.execute(
        "INSERT INTO record_keys (listing, key, record) "
        "SELECT listing, key, id FROM records ORDER BY listing, key"
    )
    # A process of an older release that is still at work would store records without their keys:
    # it finds its lease lost. Until when it was held stays, for those who ask or wait for that.
    op.execute("UPDATE leases SET epoch = epoch + 1")


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("listing", sa.Integer, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("correction", sa.Integer, nullable=False),
        sa.Column("overruled", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("row_hash", sa.LargeBinary, nullable=False),
        sa.Column("row", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("observed_at", sa.BigInteger, nullable=False),
    )


def _create_indexes() -> None:
    op.create_index("records_feed", "records", ["listing", "seq"])
    op.create_index(
        "records_deleted",
        "records",
        ["listing"],
        postgresql_where=sa.text("deleted"),
        sqlite_where=sa.text("deleted = 1"),
    )


def _create_keys() -> None:
    op.create_table(
        "record_keys",
        sa.Column("listing", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("record", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gathered_keys",
        sa.Column("record", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("listing", sa.Integer, nullable=False),
        sa.Column("key", sa.String, nullable=False),
    )
