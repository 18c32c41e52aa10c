"""People who asked to be forgotten: who, as keyed digests, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables; nobody has asked yet."""
    op.create_table(
        "own_keys",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "forgettings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("requested_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("forgetting", sa.Integer, nullable=False),
    )
    op.create_table(
        "forgotten_records",
        sa.Column("forgetting", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
    )
    op.create_table(
        "erasures",
        sa.Column("forgetting", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sink", sa.String, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
