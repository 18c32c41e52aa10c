"""Reading a listing again when records may have moved between its pages while it was read.

A record that moves to a page that was read already is not seen. What shows that pages moved: a
record that came on two of them, or one that the listing missed although the API, asked by id,
still has it. Then another pass follows, until one brings nothing that stood before and was
missed so far.

What an API always lists twice, or never lists although it has it, shows no movement: it is
remembered from one run to the next.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from zimun_sync.events import Emit, ListingRepeated, ListingUnsettled
from zimun_sync.store import Lease, Run, Store
from zimun_sync.store.passes import Pass

#: Passes over a listing in one run.
MAX_PASSES: Final = 5
#: Passes at least, where those before went on moving: one may miss what another missed.
_MOVING_PASSES: Final = 3


class Paging(StrEnum):
    """Whether records stay on their page while a listing is read."""

    AUTO = "auto"  #: nobody knows: a pass that shows movement is followed by another
    STABLE = "stable"  #: they do: one pass
    UNSTABLE = "unstable"  #: they do not: passes until one finds nothing new


class Passes(Struct, frozen=True):
    """Decides after each pass of a full listing whether another follows.

    A listing of one page is read at one instant: nothing can move.

    Args:
        store: knows what the passes brought.
        lease: the right to write for the source.
        paging: what is known of the source.
        emit: told of another pass, and when no more may follow.
    """

    store: Store
    lease: Lease
    paging: Paging
    emit: Emit

    def after_listing(self, run: Run) -> Run | None:
        """The run at the beginning of another pass; None if the listing has settled.

        Args:
            run: with the last page of its pass stored.

        Raises:
            LeaseLost: another process took over.
        """
        if self.paging is Paging.STABLE or _is_one_page(run):
            return None
        look = self.store.passes.look(run)
        if run.passes > 1:
            run = self.store.runs.note_found_late(self.lease, run, look.found_late)
        reason = self._reason(run, look)
        if reason and run.passes < MAX_PASSES:
            return self.begin(run, reason)
        if reason:
            self._tell_unsettled(run)
            return None
        if not run.back_to:  # a part of a listing does not show all of them
            self.store.passes.remember(self.lease, run, look.always_twice)
        if run.passes == 1 and look.first_new is not None:
            # What slipped away and was not known cannot be told to be missing. Where records are
            # new it is next to them, or on the page before.
            back_to = max(look.first_new - 1, 0)
            return self.begin(run, "it brought what was not known", back_to=back_to)
        return None

    def may_repeat(self, run: Run) -> bool:
        """Whether what was missed so far may bring another pass: it need not be gone."""
        once = run.passes == 1 or run.back_to > 0
        return self.paging is Paging.AUTO and once and not _is_one_page(run)

    def _reason(self, run: Run, look: Pass) -> str:
        if look.found_late:
            return f"{_records(look.found_late)} found only by the last pass"
        # A record that was edited comes twice in a list by time of change, and nothing else moves.
        twice = look.repeated + (look.changed if run.passes == 1 else 0)
        if twice and run.passes < _MOVING_PASSES:
            return f"{_records(twice)} listed on two pages"
        if run.passes > 1:
            return ""
        return "paging is set to unstable" if self.paging is Paging.UNSTABLE else ""

    def begin(self, run: Run, reason: str, *, back_to: int = 0, forward: bool = False) -> Run:
        """The run at the beginning of another pass, backward where the one before was not.

        Args:
            run: with the last page of its pass stored.
            reason: what shows that it is needed.
            back_to: the last page to read again, from 0, where it is read backward.
            forward: read it from its first page to whatever is its last one by now.

        Raises:
            LeaseLost: another process took over.
        """
        turn = None if forward or run.reads_backward else back_to
        following = self.store.runs.begin_pass(self.lease, run, turn)
        at = (run.source, run.stream, run.run_id)
        self.emit(ListingRepeated(*at, following.passes, run.found_late, reason))
        return following

    def _tell_unsettled(self, run: Run) -> None:
        at = (run.source, run.stream, run.run_id, run.passes, run.found_late)
        reason = "Records move while they are listed; what is still missed comes the next night."
        self.emit(ListingUnsettled(*at, reason))


def _is_one_page(run: Run) -> bool:
    return run.passes == 1 and run.pages == 1


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count:,} records were"
