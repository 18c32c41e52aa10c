"""History as a stream: when each past version was stored, in the sequence that sinks read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

#: `zimun_sync.store.merge.NOTHING_OVERRULED` as it was then.
_NOTHING_OVERRULED = -(2**63)


def upgrade() -> None:
    """Give versions a sequence, what they overruled, and the content as it came."""
    op.add_column("history", sa.Column("raw", sa.LargeBinary))
    op.add_column(
        "history",
        sa.Column(
            "overruled", sa.BigInteger, nullable=False, server_default=str(_NOTHING_OVERRULED)
        ),
    )
    op.add_column("history", sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE history SET seq = (SELECT records.seq FROM records "
        "WHERE records.listing = history.listing AND records.key = history.key)"
    )
    op.create_index("history_feed", "history", ["listing", "seq"])
