"""Passes of a listing that moves while it is read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Count passes; a run from before has one, which all of its pages belong to."""
    for name, kind, first in (
        ("passes", sa.Integer, "1"),
        ("pass_pages", sa.Integer, "0"),
        ("found_late", sa.BigInteger, "0"),
    ):
        op.add_column("runs", sa.Column(name, kind, nullable=False, server_default=first))
    op.execute("UPDATE runs SET pass_pages = pages")
