"""The first schema: change feed, history, runs with checkpoints, quarantine, offsets, leases.

Revision ID: 0001
Revises: none
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    _create_feed()
    _create_runs()
    _create_delivery()


def _create_feed() -> None:
    op.create_table(
        "identity",
        sa.Column("store_id", sa.String, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("organization_id", sa.String),
        sa.Column("normalized_with", sa.String, nullable=False),
        sa.Column("synced_barrier", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "listings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.UniqueConstraint("source", "stream", name="listings_stream"),
    )
    op.create_table(
        "records",
        sa.Column("listing", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String, primary_key=True),
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
    op.create_index("records_feed", "records", ["listing", "seq"])
    op.create_table(
        "history",
        sa.Column("listing", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("correction", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("row", sa.LargeBinary, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("observed_at", sa.BigInteger, nullable=False),
        sa.Column("superseded_at", sa.BigInteger, nullable=False),
    )


def _create_runs() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("parameters", sa.String, nullable=False),
        sa.Column("page_token", sa.Text),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("listing_requested_at", sa.BigInteger),
        sa.Column("pages", sa.Integer, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("quarantined", sa.BigInteger, nullable=False),
        sa.Column("tombstoned", sa.BigInteger, nullable=False),
        sa.Column("resumes", sa.Integer, nullable=False),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("failure", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("hint", sa.Text),
    )
    op.create_index("runs_latest", "runs", ["source", "stream", "started_at"])


def _create_delivery() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("sink", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("content", sa.String),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("source", "stream", "sink", "key", name="quarantine_record"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "offsets",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sinks",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
