"""A remote sink between `open` and `close`: its account, its rounds, what it previews."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time

from zimun_sync.errors import SinkBroken
from zimun_sync.ids import Activation
from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.bookings import Booking, bookings_of
from zimun_sync.remotes.budget import Budget
from zimun_sync.remotes.contract import Refused, Remote, RemoteContext
from zimun_sync.remotes.forgetting import Forgetter
from zimun_sync.remotes.owners import Owners
from zimun_sync.remotes.plan import Plan
from zimun_sync.remotes.rehearsal import Noted, Rehearsal, rehearsal
from zimun_sync.remotes.rounds import Rounds
from zimun_sync.remotes.tasks import Result, Skipped, Standing
from zimun_sync.sinks import (
    Batch,
    Difference,
    Erasure,
    Forgotten,
    Rejection,
    SinkContext,
    WriteResult,
)


class Session:
    """An opened remote sink.

    Args:
        remote: not connected yet.
        plan: what is written, and when.
        context: what the engine opened the sink with.
    """

    def __init__(self, remote: Remote, plan: Plan, context: SinkContext) -> None:
        self._remote = remote
        self._plan = plan
        self._context = context
        self._prepared = False
        self._rehearsal: Rehearsal | None = None
        self._owners = Owners(remote, context.memory, plan.settings.owners)
        self.budget = Budget(context, plan.settings.daily_calls)

    def connect(self) -> None:
        """Sign in, and see that it is the account whose ids are remembered.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: refused credentials, or another account.
        """
        context = self._context
        account = self._remote.connect(
            RemoteContext(context.name, context.now, context.stop, self.budget.called)
        )
        expected = context.memory.account()
        if expected not in (None, account.id):
            raise SinkBroken(
                f"These credentials are for account {account.id} ({account.label}), but what was "
                f"written so far is in account {expected}.",
                hint="Give the credentials of the former account, or configure a new sink (under "
                "another name) for this one.",
            )
        self._account, self._label = account.id, account.label

    def write(self, batch: Batch) -> WriteResult:
        """Bring the batch's appointments about; see `Sink.write`."""
        activation = self._context.memory.activation()
        if activation is None:
            raise SinkBroken(
                "It has not been activated: nothing is written before somebody has agreed.",
                hint=f"Run `zimun-sync sinks activate {self._context.name}`.",
            )
        if not self._prepared:
            self._context.memory.claim(self._account)
            self._remote.prepare()
            self._prepared = True
        try:
            bookings = bookings_of(batch, self._plan.settings, self._context.lookup)
            results = self._rounds(self._remote, activation).write(bookings)
        finally:
            self.budget.flush()
        return _counted(bookings, results)

    def preview(self, batch: Batch, *, taken: bool) -> Sequence[Difference]:
        """What `write` would do, with the values that are there now."""
        if self._rehearsal is None:
            self._rehearsal = rehearsal(self._remote)
            self._context.memory.claim(self._account)  # a preview's memory forgets it again
        stand_in = self._rehearsal
        stand_in.noted.clear()
        activation = self._context.memory.activation()
        bookings = bookings_of(batch, self._plan.settings, self._context.lookup)
        results = self._rounds(stand_in, activation, thorough=taken).write(bookings)
        return _differences(batch.source, bookings, results, stand_in.noted)

    def forget(self, forgotten: Forgotten) -> Erasure:
        """Erase what is held about people; see `Forgets.forget`."""
        memory, lookup = self._context.memory, self._context.lookup
        try:
            return Forgetter(self._remote, memory, self._plan, lookup, self._label).forget(
                forgotten
            )
        finally:
            self.budget.flush()

    def _rounds(
        self, remote: Remote, activation: Activation | None, *, thorough: bool = False
    ) -> Rounds:
        memory = self._context.memory
        starts_from = self._starts_from(activation)
        return Rounds(remote, memory, self._plan, self._owners, starts_from, thorough)

    def _starts_from(self, activation: Activation | None) -> datetime | None:
        match self._plan.settings.start_from:
            case "all":
                return None
            case "now":
                if activation is None:
                    return self._context.now()
                return max(activation.starts_from or activation.at, activation.at)
            case day:
                return datetime.combine(day, time(), UTC)


def _counted(bookings: Sequence[Booking], results: Mapping[str, Result]) -> WriteResult:
    counts: Counter[Standing] = Counter()
    rejected: list[Rejection] = []
    skipped = 0
    for booking in bookings:
        match results[booking.key]:
            case Refused(_, code, message):
                rejected.append(Rejection(booking.id, code, message))
            case Skipped():
                skipped += 1
            case result:
                counts[result] += 1
    written, unchanged = counts[Standing.WRITTEN], counts[Standing.UNCHANGED]
    return WriteResult(written, unchanged, tuple(rejected), skipped)


def _differences(
    source: str,
    bookings: Sequence[Booking],
    results: Mapping[str, Result],
    noted: Sequence[Noted],
) -> list[Difference]:
    at = {booking.key: booking.id for booking in bookings}
    stream = APPOINTMENTS.name
    found = [
        Difference(
            source,
            stream,
            at.get(each.key, each.key),
            each.kind,
            each.action,
            each.remote_id,
            each.fields,
            f"to contact {each.contact_id}" if each.contact_id else "",
        )
        for each in noted
    ]
    for booking in bookings:
        result = results[booking.key]
        if isinstance(result, Refused):
            words = f"{result.code}: {result.message}"
            found.append(
                Difference(source, stream, booking.id, "appointment", "reject", message=words)
            )
        elif isinstance(result, Skipped):
            found.append(
                Difference(source, stream, booking.id, "appointment", "skip", message=result.why)
            )
    return found
