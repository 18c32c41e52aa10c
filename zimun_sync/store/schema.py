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

#: SQLite keeps rows in the order of a key that is declared as INTEGER, and needs no index for it.
_Number = BigInteger().with_variant(Integer(), "sqlite")

#: The compacted change feed: one row a record, `seq` being that of its latest change. `version`
#: is the newest one known to have this content, `since` the first. `id` stays: the listing's
#: number in its upper bits, the sequence of the record's first change in the lower 40.
records = Table(
    "records",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("listing", Integer, nullable=False),
    Column("key", String, nullable=False),
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
    # Over deleted records only, as the migration says: told here, each start would import the
    # PostgreSQL dialect.
    Index("records_deleted", "listing"),
)

#: Records by key. One whose key is not here is in `gathered_keys`.
record_keys = Table(
    "record_keys",
    metadata,
    Column("listing", Integer, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("record", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Keys of new records that a listing brought last, in the order in which they came; they go into
#: `record_keys` many at once, at the latest with the listing's last page.
gathered_keys = Table(
    "gathered_keys",
    metadata,
    Column("record", _Number, primary_key=True, autoincrement=False),
    Column("listing", Integer, nullable=False),
    Column("key", String, nullable=False),
)

#: Versions that are not the present one; `run_id` tells how they came (pull or webhook). All of
#: a record's share one `seq`, that of the latest change in its past or of what stands after it.
#: `raw` is null in those from before it was kept. `pruned`: past its time, and only there to
#: tell what the version after it changed.
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
    Column("raw", LargeBinary),
    Column("overruled", BigInteger, nullable=False),
    Column("pruned", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("history_superseded", "superseded_at"),
    Index("history_feed", "listing", "seq"),
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
    Column("passes", Integer, nullable=False),
    Column("pass_pages", Integer, nullable=False),
    Column("found_late", BigInteger, nullable=False),
    Column("back_from", Integer, nullable=False),
    Column("back_to", Integer, nullable=False),
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

#: Webhook events, one row an id. `status`: waiting, thin (its record, `key`, has to be fetched)
#: or done; `sent_at` is the event's own time, which stands in for a version where the record
#: has none. The body of one that is done is let go; the id stays to know repetitions by.
inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("status", String, nullable=False),
    Column("key", String),
    Column("sent_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("body", LargeBinary),
    UniqueConstraint("source", "event_id", name="inbox_event"),
    Index("inbox_status", "source", "status", "id"),
    sqlite_autoincrement=True,
)

#: Sequences of the records that a full listing brought, eight bytes each, one row a page. Page
#: -1 - n holds those that records had before page n changed them.
seen = Table(
    "seen",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("keys", LargeBinary, nullable=False),
    Column("page_token", Text),
    Column("new", Integer),
)

#: What the pages of a stream's latest full listing held: a digest of their items as they came,
#: a mark of each item, and the sequence that its record had then, eight bytes each; sequence 0
#: where the item was refused or doubted. A hint, never the truth.
known_pages = Table(
    "known_pages",
    metadata,
    Column("listing", Integer, primary_key=True, autoincrement=False),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("marks", LargeBinary, nullable=False),
    Column("seqs", LargeBinary, nullable=False),
)

#: Records that a complete listing missed. `state`: held (too many at once: a person decides),
#: due (to be asked for by id), once (no by-id: a second listing decides).
missing = Table(
    "missing",
    metadata,
    Column("listing", Integer, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("missed_at", BigInteger, nullable=False),
    Index("missing_run", "run_id"),
)

#: Sources that a person paused.
pauses = Table(
    "pauses",
    metadata,
    Column("source", String, primary_key=True),
    Column("since", BigInteger, nullable=False),
)

#: What a command asks of the running daemon. `arguments` and `outcome` are JSON.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("taken_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("outcome", Text),
    sqlite_autoincrement=True,
)

#: The latest slot of each scheduled job, as a naive wall-clock time in ISO 8601: one run a slot.
slots = Table(
    "slots",
    metadata,
    Column("job", String, primary_key=True),
    Column("slot", String, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)

#: Calls of hooks that are due. `payload` (JSON) fills the template; `needs` (JSON) maps sinks
#: to the sequences, by source, that they must have taken first.
hook_calls = Table(
    "hook_calls",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("hook", String, nullable=False),
    Column("event", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("needs", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("error", Words),
    Index("hook_calls_due", "status", "due_at"),
    sqlite_autoincrement=True,
)

#: What was wrong when last looked at, so that hooks hear of changes only.
troubles = Table(
    "troubles",
    metadata,
    Column("subject", String, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("since", BigInteger, nullable=False),
)

#: One row a remote sink: whose system it writes to, and a person's consent to write there.
#: `starts_from`: appointments that start earlier are left out; null for all. `allowance`: creates
#: that were agreed to and not made yet.
remote_accounts = Table(
    "remote_accounts",
    metadata,
    Column("sink", String, primary_key=True),
    Column("account", String),
    Column("activated_at", BigInteger),
    Column("starts_from", BigInteger),
    Column("allowance", BigInteger, nullable=False),
)

#: What a sink knows of each remote object, by our key. `sent` and `person` are MessagePack;
#: `doubted`: it has to be compared with what is there, for a replay.
#: A contact's key is a person key in clear, and so is `contact`: forgetting a person has to
#: reach them here as in `remote_persons`.
remote_ids = Table(
    "remote_ids",
    metadata,
    Column("sink", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("remote_id", String),
    Column("version", String),
    Column("sent", LargeBinary, nullable=False),
    Column("doubted", Boolean, nullable=False),
    Column("token", String, nullable=False),
    Column("contact", String),
    Column("linked_to", String),
    Column("person", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("remote_ids_remote", "sink", "kind", "remote_id"),
)

#: The contact of each person key. Keys are personal data: e-mail addresses and phone numbers in
#: clear, so that a contact is found again. Forgetting a person has to remove them.
remote_persons = Table(
    "remote_persons",
    metadata,
    Column("sink", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("contact_key", String, nullable=False),
)

#: Creates of each run in each remote sink, beyond what was agreed to; of webhooks, of each UTC
#: day. `held`: they exceeded the limit and wait for a person; `approved`: a person let them.
remote_creates = Table(
    "remote_creates",
    metadata,
    Column("sink", String, primary_key=True),
    Column("run_id", String, primary_key=True),
    Column("creates", BigInteger, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: Calls that each remote sink made on a UTC day (ISO 8601).
remote_calls = Table(
    "remote_calls",
    metadata,
    Column("sink", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: What a sink noticed that a person may want to mend, one row a subject. `told`: it was told
#: to those who listen to events.
sink_notices = Table(
    "sink_notices",
    metadata,
    Column("sink", String, primary_key=True),
    Column("code", String, primary_key=True),
    Column("subject", Words, primary_key=True),
    Column("message", Words, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)

#: Fields of the source that no column is made of, as they came up. `json_types`: of their
#: values, joined by a comma; `suggested`: the type that a column of them would have.
known_fields = Table(
    "known_fields",
    metadata,
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("json_types", String, nullable=False),
    Column("suggested", String, nullable=False),
    Column("first_at", BigInteger, nullable=False),
)

#: Keys that the state made for itself, by what they are for.
own_keys = Table(
    "own_keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

#: Requests to forget people, one row each. `erased_at`: nothing about them is left in the state.
forgettings = Table(
    "forgettings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("requested_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    sqlite_autoincrement=True,
)

#: Keyed digests of what those people are known by: what arrives about them later is not kept.
suppressions = Table(
    "suppressions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("kind", String, nullable=False),
    Column("forgetting", Integer, nullable=False),
)

#: Records that held something about people who were forgotten.
forgotten_records = Table(
    "forgotten_records",
    metadata,
    Column("forgetting", Integer, primary_key=True, autoincrement=False),
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("key", String, primary_key=True),
)

#: What became of former states in each sink. `status`: pending, done, or by_hand: what is left
#: there has to be removed by a person.
erasures = Table(
    "erasures",
    metadata,
    Column("forgetting", Integer, primary_key=True, autoincrement=False),
    Column("sink", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("message", Words, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
