"""Fields of the source that no column is made of, so that each is told once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is known of such fields."""
    op.create_table(
        "known_fields",
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("field", sa.Text, primary_key=True),
        sa.Column("json_types", sa.String, nullable=False),
        sa.Column("suggested", sa.String, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
    )
