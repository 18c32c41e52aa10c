"""Writing thousands of records by jobs of Bulk API 2.0.

Salesforce works a job off in its own time, and a connector does not wait: a job under way raises
`SinkUnavailable`, and the batch that comes again finds the same job. Which one that is is kept in
this process's memory only. After a crash the records are sent once more: creates are upserts
by our key and updates set values, so that a second job, even beside the first, doubles nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from zimun_connectors.salesforce import sheets
from zimun_connectors.salesforce.failures import FIELD_HINT, after_a_write
from zimun_connectors.salesforce.fields import Table
from zimun_connectors.salesforce.jobs import Job, begun
from zimun_connectors.salesforce.org import Org
from zimun_connectors.salesforce.outcomes import Action
from zimun_connectors.salesforce.records import Record, record_of
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import Item, Outcome

#: Seconds until a job is looked at again.
POLL_AFTER: Final = 20.0

#: Bytes that a job takes.
_MOST_BYTES: Final = 100_000_000

#: How long results are held against records that come again.
_KEPT: Final = timedelta(hours=1)

_OPEN, _COMPLETE = "Open", "JobComplete"
_OVER: Final = frozenset({_COMPLETE, "Failed", "Aborted"})


class Bulk:
    """The bulk jobs of one sink.

    Args:
        now: aware UTC now.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._jobs: dict[tuple[str, Action], list[Job]] = defaultdict(list)

    def look(self, org: Org) -> None:
        """See whether every job is over.

        Raises:
            SinkUnavailable: one is under way.
            SinkBroken: one failed for good.
        """
        for jobs in self._jobs.values():
            for job in list(jobs):
                self._settle(org, job)

    def answers(
        self, org: Org, table: Table, action: Action, items: Sequence[Item]
    ) -> tuple[dict[str, Outcome], set[str]]:
        """What former jobs say of these items.

        Returns:
            Outcomes by key, and the keys of those that a job took but left undone.

        Raises:
            SinkUnavailable: a job is under way.
            SinkBroken: one failed for good.
        """
        outcomes: dict[str, Outcome] = {}
        undone: set[str] = set()
        for job in list(self._jobs[table.name, action]):
            self._settle(org, job)
            for item in items:
                if job.took(item.key, record_of(item, table, action)):
                    _sort_in(job, item.key, outcomes, undone)
        return outcomes, undone

    def forget(self, table: Table, action: Action) -> None:
        """Drop the results of former jobs: every item has its outcome."""
        self._jobs.pop((table.name, action), None)

    def submit(self, org: Org, table: Table, action: Action, items: Sequence[Item]) -> None:
        """Hand items to a new job; returns only if no job can take them.

        Raises:
            SinkUnavailable: the job is under way.
            SinkBroken, BatchRefused: Salesforce takes no such job.
        """
        records = {item.key: record_of(item, table, action) for item in items}
        data = sheets.written(list(records.values()))
        if len(data) > _MOST_BYTES or not all(map(sheets.fits, records.values())):
            return
        job = self._uploaded(org, table, action, records, data)
        self._jobs[table.name, action].append(job)
        with after_a_write():
            _close(org, job)
        raise _under_way(job, f"{len(items)} records were handed over")

    def _uploaded(
        self, org: Org, table: Table, action: Action, records: dict[str, Record], data: bytes
    ) -> Job:
        """A job with its data, which Salesforce does not touch before it is closed."""
        by_key = {"operation": "upsert", "externalIdFieldName": table.key_field}
        operation = by_key if action is Action.CREATE else {"operation": "update"}
        body = {"object": table.name, "contentType": "CSV", "lineEnding": "LF", **operation}
        what = f"a bulk job to {action} {table.name}"
        job_id = org.call("POST", "jobs/ingest", what, json=body).json()["id"]
        job = begun(str(job_id), table, action, records)
        headers = {"Content-Type": "text/csv; charset=UTF-8"}
        org.call("PUT", f"{job.path}/batches", what, content=data, headers=headers)
        return job

    def _settle(self, org: Org, job: Job) -> None:
        """Fetch the results of a job once it is over; drop old ones, and a job nobody knows."""
        jobs = self._jobs[job.table.name, job.action]
        if job.over_at is not None:
            if self._now() - job.over_at > _KEPT:
                jobs.remove(job)
            return
        with after_a_write():
            state = org.state(job.path, f"bulk job {job.id}")
            if state is None:
                jobs.remove(job)
                return
            if state["state"] == _OPEN:
                _close(org, job)
            if state["state"] not in _OVER:
                done = state.get("numberRecordsProcessed", 0)
                raise _under_way(job, f"{done} of {len(job.digests)} records are processed")
            self._fetch(org, job, str(state.get("errorMessage") or ""))

    def _fetch(self, org: Org, job: Job, error: str) -> None:
        try:
            _check_error(job, error)
            job.take_results(org)
        except SinkBroken:  # once that is mended the records are to be sent anew
            self._jobs[job.table.name, job.action].remove(job)
            raise
        job.over_at = self._now()


def _sort_in(job: Job, key: str, outcomes: dict[str, Outcome], undone: set[str]) -> None:
    """Take in what a job says of a record; a later job has the last word."""
    outcomes.pop(key, None)
    undone.discard(key)
    if key in job.outcomes:
        outcomes[key] = job.outcomes[key]
    else:
        undone.add(key)


def _close(org: Org, job: Job) -> None:
    org.call("PATCH", job.path, f"bulk job {job.id}", json={"state": "UploadComplete"})


def _check_error(job: Job, error: str) -> None:
    if "field name not found" in error.lower():
        raise SinkBroken(
            f"Salesforce refuses a field of {job.table.name} (bulk job {job.id}): {error}",
            hint=FIELD_HINT,
        )


def _under_way(job: Job, how_far: str) -> SinkUnavailable:
    return SinkUnavailable(
        f"Salesforce works on bulk job {job.id} to {job.action} {job.table.name}: {how_far}.",
        retry_after=POLL_AFTER,
        hint="It goes on by itself; Setup, Bulk Data Load Jobs shows the job.",
    )
