"""The daemon: an inbox for webhooks, deletions on proof, schedule, requests and hooks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the daemon's tables."""
    _create_inbox()
    _create_deletions()
    _create_daemon()
    _create_indexes()


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("body", sa.LargeBinary),
        sa.UniqueConstraint("source", "event_id", name="inbox_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("inbox_status", "inbox", ["source", "status", "id"])


def _create_deletions() -> None:
    op.create_table(
        "seen",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("keys", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "missing",
        sa.Column("listing", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("missed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("missing_run", "missing", ["run_id"])


def _create_daemon() -> None:
    op.create_table(
        "pauses",
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("requested_at", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("outcome", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "slots",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("slot", sa.String, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
    )
    op.create_table(
        "hook_calls",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("hook", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("needs", sa.Text, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("hook_calls_due", "hook_calls", ["status", "due_at"])
    op.create_table(
        "troubles",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )


def _create_indexes() -> None:
    """What counting records and retention would else go through whole tables for."""
    op.create_index(
        "records_deleted",
        "records",
        ["listing"],
        postgresql_where=sa.text("deleted"),
        sqlite_where=sa.text("deleted = 1"),
    )
    op.create_index("history_superseded", "history", ["superseded_at"])
