"""The sink's own durable state in SQLite: whose it is, and what the other files hold.

Whole batches go to SQLite as one JSON text and one statement. Row by row the thread would
give up and fight for Python's global lock each time (ten times slower beside a busy thread).
"""

from zimun_connectors.common.state import SinkState

#: `log`: a stream's lines and what readers see of them. `dead`: stretches of a log that no
#: longer count. `record`: where each record's line lies; `length` 0 and no hash: deleted.
_TABLES = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY, stream TEXT UNIQUE, number INTEGER, size INTEGER, columns TEXT,
    version INTEGER, published INTEGER, published_size INTEGER, published_as TEXT
);
CREATE TABLE dead (
    log INTEGER, start INTEGER, length INTEGER, PRIMARY KEY (log, start)
) WITHOUT ROWID;
CREATE TABLE record (
    log INTEGER, source TEXT, key TEXT, seq INTEGER, hash TEXT, start INTEGER, length INTEGER,
    PRIMARY KEY (log, source, key)
) WITHOUT ROWID;
CREATE TABLE change_file (name TEXT PRIMARY KEY, day TEXT, form TEXT, size INTEGER);
"""


class State(SinkState):
    """The database; see `SinkState`."""

    version = 1
    tables = _TABLES
