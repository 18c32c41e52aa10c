"""How fresh a sink's data is: the table that its readers are shown after each pull.

A row changes with every pull, also where no record did. It is therefore none of a stream's, has
no sequence and no hash, and is no change that a sink writes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zimun_sync.model import Column, ColumnType

#: What the table or file is called in every sink.
TABLE = "freshness"

ABOUT = "How fresh each stream is, as of the last pull; written by zimun-sync only."

#: Its columns, in their stable order; `_source` and `stream` identify a row.
COLUMNS = (
    Column("_source", ColumnType.TEXT, "Name of the configured source; part of the key."),
    Column("stream", ColumnType.TEXT, "The stream, which is its table's name; part of the key."),
    Column(
        "last_pull_at",
        ColumnType.INSTANT,
        "When the last complete listing was asked for, UTC: what the source had changed by then "
        "is here. Null: none was complete yet.",
    ),
    Column(
        "last_pull_status",
        ColumnType.TEXT,
        "How the last pull went: succeeded, needs_attention, failed, not_offered, or running if "
        "it was interrupted.",
    ),
    Column(
        "last_change_at",
        ColumnType.INSTANT,
        "When the latest change was learnt, by a pull or a webhook, UTC; null without any.",
    ),
    Column("records", ColumnType.INTEGER, "Number of records that are not deleted."),
    Column("shown_at", ColumnType.INSTANT, "When this row was written, UTC."),
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """One row: how fresh one stream of one source is.

    Args:
        source: the configured source's name.
        stream: the stream's name.
        last_pull_at: when the last complete listing was asked for, aware UTC; None before it.
        last_pull_status: how the last pull of it went, as a run's status.
        last_change_at: when the store took the latest change, aware UTC; None without any.
        records: records that are not deleted.
        shown_at: when this was found out, aware UTC.
    """

    source: str
    stream: str
    last_pull_at: datetime | None
    last_pull_status: str
    last_change_at: datetime | None
    records: int
    shown_at: datetime

    @property
    def values(self) -> tuple[Any, ...]:
        """One value for each of `COLUMNS`."""
        return (
            self.source,
            self.stream,
            self.last_pull_at,
            self.last_pull_status,
            self.last_change_at,
            self.records,
            self.shown_at,
        )
