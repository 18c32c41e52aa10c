"""Remote systems: their accounts, ids, persons, creates and calls, and what sinks notice."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what sinks remember of remote systems."""
    _create_memory()
    _create_limits()
    _create_notices()


def _create_memory() -> None:
    op.create_table(
        "remote_accounts",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("account", sa.String),
        sa.Column("activated_at", sa.BigInteger),
        sa.Column("starts_from", sa.BigInteger),
        sa.Column("allowance", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "remote_ids",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("remote_id", sa.String),
        sa.Column("version", sa.String),
        sa.Column("sent", sa.LargeBinary, nullable=False),
        sa.Column("doubted", sa.Boolean, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("contact", sa.String),
        sa.Column("linked_to", sa.String),
        sa.Column("person", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("remote_ids_remote", "remote_ids", ["sink", "kind", "remote_id"])
    op.create_table(
        "remote_persons",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("contact_key", sa.String, nullable=False),
    )


def _create_limits() -> None:
    op.create_table(
        "remote_creates",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("creates", sa.BigInteger, nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "remote_calls",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("day", sa.String, primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _create_notices() -> None:
    op.create_table(
        "sink_notices",
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
    )
