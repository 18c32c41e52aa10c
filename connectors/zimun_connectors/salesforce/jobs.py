"""One bulk job: which records it took, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec

from zimun_connectors.salesforce import sheets
from zimun_connectors.salesforce.failures import Trouble, check_fields
from zimun_connectors.salesforce.fields import Table
from zimun_connectors.salesforce.org import Org
from zimun_connectors.salesforce.outcomes import Action, outcome_of, troubles_of_row
from zimun_connectors.salesforce.records import Record
from zimun_sync.remotes.contract import Item, Outcome

_ID, _ERROR = "sf__Id", "sf__Error"

#: Every result that a job has, by its address; together they name every record.
_DONE, _FAILED, _UNPROCESSED = "successfulResults", "failedResults", "unprocessedrecords"

_TABLE_ID: Final = "Id"


@dataclass(slots=True)
class Job:
    """A job that Salesforce was given.

    Args:
        id: its id.
        table: where its records belong.
        action: what it does to them.
        digests: digest of each record, by our key.
        keys: our key of each record, by what tells the record in the job's data.
        outcomes: by our key, once it is over; none of a record that was left undone.
        over_at: when its results were fetched, aware UTC.
    """

    id: str
    table: Table
    action: Action
    digests: Mapping[str, bytes]
    keys: Mapping[str, str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    over_at: datetime | None = None

    @property
    def path(self) -> str:
        """Its address below the version's."""
        return f"jobs/ingest/{self.id}"

    def took(self, key: str, record: Record) -> bool:
        """Whether it was given this very record."""
        return self.digests.get(key) == _digest(record)

    def take_results(self, org: Org) -> None:
        """Fetch what became of each record.

        Records that were not processed, were locked by others, or are in no result at all
        get no outcome.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a field may not be written.
        """
        outcomes: dict[str, Outcome] = {}
        for row in self._rows(org, _DONE):
            outcomes |= self._outcome(row, [])
        for row in self._rows(org, _FAILED):
            troubles = troubles_of_row(row[_ERROR])
            check_fields(troubles, f"bulk job {self.id}")
            if not troubles[0].passes:
                outcomes |= self._outcome(row, troubles)
        for row in self._rows(org, _UNPROCESSED):
            outcomes.pop(self.keys.get(row[self._column], ""), None)
        self.outcomes = outcomes

    @property
    def _column(self) -> str:
        return self.table.key_field if self.action is Action.CREATE else _TABLE_ID

    def _rows(self, org: Org, result: str) -> list[Mapping[str, str]]:
        answer = org.read("GET", f"{self.path}/{result}/", f"{result} of bulk job {self.id}")
        return list(sheets.rows(answer.body))

    def _outcome(self, row: Mapping[str, str], troubles: list[Trouble]) -> dict[str, Outcome]:
        key = self.keys.get(row[self._column])
        if key is None:
            return {}
        return {key: outcome_of(Item(key, {}), row[_ID], troubles, self.table, self.action)}


def begun(job_id: str, table: Table, action: Action, records: Mapping[str, Record]) -> Job:
    """A job of these records, by our key."""
    column = table.key_field if action is Action.CREATE else _TABLE_ID
    digests = {key: _digest(record) for key, record in records.items()}
    return Job(job_id, table, action, digests, {str(r[column]): k for k, r in records.items()})


def _digest(record: Record) -> bytes:
    return blake2b(msgspec.json.encode(record, order="deterministic"), digest_size=16).digest()
