"""History as a stream: when each past version was stored, in the sequence that sinks read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

#: `zimun_sync.store.merge.NOTHING_OVERRULED` as it was then.
_NOTHING_OVERRULED = -(2**63)
#: A version that stood with a correction overruled what stood before it. One that came late was
#: given the correction of what stood, and has both its times from one moment.
_OVERRULED = """
    UPDATE history SET overruled = COALESCE(
        (SELECT max(former.version) FROM history AS former
        WHERE former.listing = history.listing AND former.key = history.key
            AND former.correction < history.correction),
        overruled)
    WHERE correction > 0 AND observed_at < superseded_at
"""


def upgrade() -> None:
    """Give versions a sequence, what they overruled, and the content as it came."""
    op.add_column("history", sa.Column("raw", sa.LargeBinary))
    op.add_column(
        "history",
        sa.Column(
            "overruled", sa.BigInteger, nullable=False, server_default=str(_NOTHING_OVERRULED)
        ),
    )
    op.execute(_OVERRULED)
    op.add_column(
        "history", sa.Column("pruned", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("history", sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE history SET seq = (SELECT records.seq FROM records "
        "WHERE records.listing = history.listing AND records.key = history.key)"
    )
    op.create_index("history_feed", "history", ["listing", "seq"])
