"""Passes over a listing that read its pages from the last to the first."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Keep tokens and new records of a listing's pages; those of pages from before are unknown."""
    for name in ("back_from", "back_to"):
        op.add_column("runs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("seen", sa.Column("page_token", sa.Text))
    op.add_column("seen", sa.Column("new", sa.Integer))
