"""A run: one listing of one stream, with its checkpoint and its counts."""

from enum import StrEnum

from msgspec import Struct

#: Stands for the token of a listing's first page, which has none.
FIRST_PAGE = ""


class RunStatus(StrEnum):
    """How a run stands. Only `succeeded` promises that every listed record was taken."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"  #: listed, but a person has to look before it counts
    SUPERSEDED = "superseded"  #: given up for a listing from the start
    NOT_OFFERED = "not_offered"  #: this API has no such list


class Run(Struct, frozen=True):
    """A run as the store knows it; times are microseconds since the epoch, UTC.

    Args:
        run_id: sortable by start time.
        source: the configured source's name.
        stream: the stream it lists.
        status: see `RunStatus`.
        parameters: fingerprint of the listing's request; a token belongs to it.
        page_token: the checkpoint: token of the next page; None before the first page and
            after the last one. `FIRST_PAGE` where a pass that reads backward has the first
            one still before it.
        started_at: when it began.
        updated_at: when it last committed something.
        finished_at: when it ended.
        listing_requested_at: when the first page was asked for, by the server's clock.
        pages: pages stored, of all passes.
        records: records listed by the latest pass forward, quarantined ones included.
        changed: records that differed from the store.
        quarantined: records of that pass that could not be normalized.
        tombstoned: records found gone.
        resumes: how often it was taken up again.
        restarts: how often its listing began again.
        passes: how often the listing was read, the pass under way included.
        pass_pages: pages stored of the latest pass.
        found_late: records that the latest pass found and none before it, though they stood
            since before the run.
        back_from: the pages of the pass before, if the one under way reads them backward,
            beginning with the last; else 0.
        back_to: the last page, from 0, that such a pass reads.
        failure: the kind of error that ended it, as its class in `zimun_sync.errors`.
        error: why it failed.
        hint: what to do about it.
    """

    run_id: str
    source: str
    stream: str
    status: str
    parameters: str
    page_token: str | None
    started_at: int
    updated_at: int
    finished_at: int | None
    listing_requested_at: int | None
    pages: int
    records: int
    changed: int
    quarantined: int
    tombstoned: int
    resumes: int
    restarts: int
    passes: int
    pass_pages: int
    found_late: int
    back_from: int
    back_to: int
    failure: str | None
    error: str | None
    hint: str | None

    @property
    def listing_complete(self) -> bool:
        """Whether the last page of the latest pass is stored."""
        return self.pass_pages > 0 and self.page_token is None

    @property
    def place(self) -> int:
        """Which page of the listing comes next, from 0."""
        return self.back_from - 1 - self.pass_pages if self.back_from else self.pass_pages

    @property
    def reads_backward(self) -> bool:
        """Whether the pass under way reads the pages of the one before, the last one first."""
        return self.back_from > 0
