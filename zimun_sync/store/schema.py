"""Tables of the store. What each row means is told here; `migrations/` creates them.

Times are microseconds since the epoch, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect


class Words(TypeDecorator[str]):
    """Text for people that may come from outside; what no database stores in it is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Replace NUL and lone halves of characters."""
        if value is None:
            return None
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


metadata = MetaData()

#: One row: who this store is. File sinks record it, so that a foreign store is noticed.
identity = Table(
    "identity",
    metadata,
    Column("store_id", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

#: One row a source. Its `seq` is locked until commit, so that no reader sees 2 before 1.
sources = Table(
    "sources",
    metadata,
    Column("name", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("organization_id", String),
    Column("normalized_with", String, nullable=False),
    Column("synced_barrier", BigInteger, nullable=False),
)

#: Who may write on whose behalf; a greater epoch fences every earlier holder.
leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: A short number for each stream of each source: the large tables' keys begin with it.
listings = Table(
    "listings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    UniqueConstraint("source", "stream", name="listings_stream"),
)

#: The compacted change feed: one row a record, `seq` being that of its latest change. `version`
#: is the newest one known to have this content, `since` the first.
records = Table(
    "records",
    metadata,
    Column("listing", Integer, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("correction", Integer, nullable=False),
    Column("overruled", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("row_hash", LargeBinary, nullable=False),
    Column("row", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("run_id", String, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Index("records_feed", "listing", "seq"),
)

#: Versions that are not the present one; `learnt` tells how they came (pull or webhook).
history = Table(
    "history",
    metadata,
    Column("listing", Integer, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("correction", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("row", LargeBinary, nullable=False),
    Column("run_id", String, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Column("superseded_at", BigInteger, nullable=False),
)

#: One row a listing of a stream; `page_token` is the checkpoint, committed with its page.
runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("status", String, nullable=False),
    Column("parameters", String, nullable=False),
    Column("page_token", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("listing_requested_at", BigInteger),
    Column("pages", Integer, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("tombstoned", BigInteger, nullable=False),
    Column("resumes", Integer, nullable=False),
    Column("restarts", Integer, nullable=False),
    Column("failure", String),
    Column("error", Words),
    Column("hint", Words),
    Index("runs_latest", "source", "stream", "started_at"),
)

#: One entry a record and sink (`sink` is empty for records that could not be normalized).
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("sink", String, nullable=False),
    Column("key", String, nullable=False),
    Column("status", String, nullable=False),
    Column("code", String, nullable=False),
    Column("message", Words, nullable=False),
    Column("raw", LargeBinary),
    Column("content", String),
    Column("run_id", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    UniqueConstraint("source", "stream", "sink", "key", name="quarantine_record"),
    sqlite_autoincrement=True,
)

#: How far each sink has taken each source's stream; a changed fingerprint starts from 0.
#: `closed`: the sink was closed after that, so nothing it put off for readers is missing.
offsets = Table(
    "offsets",
    metadata,
    Column("sink", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: One row a parked sink: what kind of trouble, why, since when, and what to do.
sinks = Table(
    "sinks",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("reason", Words, nullable=False),
    Column("hint", Words, nullable=False),
    Column("since", BigInteger, nullable=False),
)
