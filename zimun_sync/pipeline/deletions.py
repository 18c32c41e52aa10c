"""Deleting what is gone from the source, and only on proof.

A record is buried when a complete listing missed it and the API, asked by id, says that it is
gone; and only after a record of the same listing answered by id, or else the path or the
credentials are wrong. Too many missing at once wait for a person, before any of them is asked
for.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from zimun_sync.errors import (
    ListingDoubtful,
    NotFound,
    RecordInvalid,
    SourceError,
    SourceUnavailable,
)
from zimun_sync.events import DeletionsChecked, DeletionsHeld, Emit
from zimun_sync.model import from_micros, to_micros
from zimun_sync.normalize import Normalizer
from zimun_sync.pipeline.listings import Coverage, CoversDays, Interrupted, Listings, Stopping
from zimun_sync.store import Brake, Lease, Missed, MissingState, Run, Store

#: Records of a listing that are asked for by id until one answers: any may be gone by now.
_WITNESSES: Final = 3
_BURIED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class DeletionRules:
    """How far deletions may go by themselves.

    Args:
        brake: how many records may go missing at once without a person's approval.
        checks: missing records asked for by id in one run.
    """

    brake: Brake = field(default_factory=lambda: Brake(share=0.05, least=10))
    checks: int = 500


class Settled(Struct, frozen=True):
    """How far what a listing missed was dealt with.

    Args:
        run: with what was deleted.
        again: why the listing should be read again before anything more is done; empty if it
            need not.
        to_its_end: whether that listing may have ended too early: its own pages do not tell.
    """

    run: Run
    again: str = ""
    to_its_end: bool = False


@dataclass(slots=True)
class _Checked:
    """What asking by id has shown so far."""

    gone: dict[str, int] = field(default_factory=dict)
    buried: int = 0
    present: int = 0


class Deletions(Struct, frozen=True):
    """Finds and confirms what is gone.

    Args:
        listings: the API.
        store: where tombstones go.
        lease: the right to write for the source.
        rules: how far to go without asking.
        emit: told what happens.
        stopping: asked between requests.
    """

    listings: Listings
    store: Store
    lease: Lease
    rules: DeletionRules
    emit: Emit
    stopping: Stopping

    def settle(self, run: Run, normalizer: Normalizer, *, may_repeat: bool = False) -> Settled:
        """Deal with what a complete listing did not bring.

        Args:
            run: with its last page stored.
            normalizer: of the run's stream.
            may_repeat: whether the listing can be read again. Then too many missing at once are
                not told yet, and no more is asked for once one that was newly missed answers.

        Raises:
            ListingDoubtful: nothing more is deleted until a person has looked.
            LeaseLost: another process took over.
            Interrupted: the process was asked to end; the next run goes on.
        """
        covered = self._coverage(run)
        if run.records == 0 and not (covered and covered.asked):
            self._doubt_emptiness(run, covered)
            return Settled(run)
        by_id, days = self.listings.has_by_id(run.stream), covered and covered.days
        missed = self.store.missing.find(self.lease, run, self.rules.brake, by_id=by_id, days=days)
        may_repeat = may_repeat and not missed.futile
        if missed.braked and may_repeat:
            return Settled(
                run, f"it lacks {missed.newly:,} of {missed.held:,} records", to_its_end=True
            )
        if missed.braked:
            self._hold(run, missed)
        run = self.confirm(run, normalizer, until_drift=may_repeat)
        drifted = may_repeat and self.store.missing.drifted(run)
        return Settled(run, "a record that it missed is there" if drifted else "")

    def confirm(self, run: Run, normalizer: Normalizer, *, until_drift: bool = False) -> Run:
        """Ask for records that are due, as many as one run may, and bury those that are gone.

        Args:
            run: with its last page stored.
            normalizer: of the run's stream.
            until_drift: ask for no more once one that was newly missed answers.

        Raises:
            ListingDoubtful: no record of the listing answers by id, or asking is refused.
            LeaseLost: another process took over.
            Interrupted: the process was asked to end; the next run goes on.
        """
        covered = self._coverage(run)
        days = covered and covered.days
        keys = self.store.missing.due(run.source, run.stream, self.rules.checks, days)
        if not keys:
            return run
        if self.listings.has_by_id(run.stream):
            return self._ask(run, normalizer, keys, until_drift=until_drift)
        checked = _Checked(dict.fromkeys(keys, run.listing_requested_at or run.started_at))
        run = self._bury(run, checked)
        self._tell(run, checked)
        return run

    def confirm_all(self, run: Run, normalizer: Normalizer) -> Run:
        """Ask for every record that is due, as a person who approved a run expects.

        Raises:
            ListingDoubtful: as `confirm`.
            LeaseLost: another process took over.
            Interrupted: the process was asked to end; the next run goes on.
        """
        due = self._due(run)
        while due:
            run = self.confirm(run, normalizer)
            before, due = due, self._due(run)
            if due >= before:
                break  # the API cannot be asked now: the next run goes on
        return run

    def _due(self, run: Run) -> int:
        return self.store.missing.count(run.source, run.stream, MissingState.DUE)

    def _coverage(self, run: Run) -> Coverage | None:
        if not isinstance(self.listings, CoversDays):
            return None
        began = from_micros(run.listing_requested_at or run.started_at)
        return self.listings.coverage(run.stream, began)

    def _doubt_emptiness(self, run: Run, covered: Coverage | None) -> None:
        if covered is None:
            held = self.store.feed.count(run.source, run.stream)
        else:
            held = self.store.missing.held(run.source, run.stream, covered.days)
        if held:
            raise ListingDoubtful(
                f"The listing of {run.stream} is empty, while {held} are held. "
                "Nothing was deleted.",
                hint="An empty listing never deletes. Look into Zimun whether they are there, "
                "and whether the API client may see them.",
            )

    def _hold(self, run: Run, missed: Missed) -> None:
        reason = (
            f"The listing of {run.stream} lacks {missed.newly} of {missed.held} records. "
            "Nothing was deleted."
        )
        self.emit(DeletionsHeld(run.source, run.stream, run.run_id, missed.newly, reason))
        raise ListingDoubtful(
            reason,
            hint="Look into Zimun. If they are really gone, let them be deleted: "
            f"`zimun-sync approve {run.run_id}`.",
        )

    def _ask(
        self, run: Run, normalizer: Normalizer, keys: Sequence[str], *, until_drift: bool
    ) -> Run:
        ahead = self._server_ahead(run)
        checked = _Checked()
        try:
            for key in keys:
                if self.stopping():
                    raise Interrupted
                asked_at = self.store.now() + ahead
                if self._is_there(run, normalizer, key):
                    checked.present += 1
                    if until_drift and self.store.missing.drifted(run):
                        break
                else:
                    checked.gone[key] = asked_at
                if len(checked.gone) >= _BURIED_AT_ONCE:
                    run = self._bury(run, checked)
        except SourceUnavailable:
            if self.stopping():
                raise Interrupted from None
            # The rest stays due; the next run asks for it.
        except SourceError as error:
            raise _refused(run, error) from error
        finally:
            run = self._bury(run, checked)
            self._tell(run, checked)
        return run

    def _server_ahead(self, run: Run) -> int:
        """Proof that asking by id works, and what the server's clock is ahead of ours, by it."""
        for key in self.store.missing.listed(run, _WITNESSES):
            began = self.store.now()
            try:
                answer = self.listings.record(run.stream, key)
            except NotFound:
                continue
            except SourceError as error:
                raise _refused(run, error) from error
            return to_micros(answer.requested_at) - began
        raise ListingDoubtful(
            f"No record that the listing of {run.stream} brought answers by id, so nothing was "
            "deleted.",
            hint="Check the setting `paths` of the source, or take the stream out of `by_id`.",
        )

    def _is_there(self, run: Run, normalizer: Normalizer, key: str) -> bool:
        """Ask for a record that the listing missed; one that answers is taken in."""
        try:
            answer = self.listings.record(run.stream, key)
        except NotFound:
            return False
        with suppress(RecordInvalid):  # what cannot be read is there all the same
            record = normalizer.normalize(bytes(answer.items[0]))
            asked_at = to_micros(answer.requested_at)
            self.store.pages.take_in(self.lease, run, record, asked_at)
        self.store.missing.found(self.lease, run, [key])
        return True

    def _bury(self, run: Run, checked: _Checked) -> Run:
        if not checked.gone:
            return run
        gone, checked.gone = checked.gone, {}
        checked.buried += len(gone)
        return self.store.missing.bury(self.lease, run, gone)

    def _tell(self, run: Run, checked: _Checked) -> None:
        self.emit(
            DeletionsChecked(
                run.source,
                run.stream,
                run.run_id,
                checked.buried,
                checked.present,
                self._due(run),
            )
        )


def _refused(run: Run, error: SourceError) -> ListingDoubtful:
    return ListingDoubtful(
        f"Missing {run.stream} cannot be asked for by id: {error.message}", hint=error.hint
    )
