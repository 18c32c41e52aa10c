"""The sink's own durable state in SQLite: whose it is, and what the other files hold."""

from typing import Final

from zimun_connectors.common import records
from zimun_connectors.common.state import SinkState

#: Where each record's line lies; length 0: deleted. The stream is the number of its log.
PLACE: Final = ("start", "length")

#: `log`: a stream's lines and what readers see of them. `dead`: stretches of a log that no
#: longer count.
_TABLES = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY, stream TEXT UNIQUE, number INTEGER, size INTEGER, columns TEXT,
    version INTEGER, published INTEGER, published_size INTEGER, published_as TEXT
);
CREATE TABLE dead (
    log INTEGER, start INTEGER, length INTEGER, PRIMARY KEY (log, start)
) WITHOUT ROWID;
CREATE TABLE change_file (name TEXT PRIMARY KEY, day TEXT, form TEXT, size INTEGER);
"""


class State(SinkState):
    """The database; see `SinkState`."""

    tables = _TABLES + records.tables(*PLACE)
    steps = (records.moved("log", *PLACE),)
