"""A strict sink: it fails in every way the contract allows, and in one that it does not."""

from collections.abc import Callable
from random import Random

from tests.simulation.disk import At
from tests.simulation.held import Held
from tests.simulation.profile import Profile
from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Batch, Rejection, SinkContext, WriteResult


class SimSink:
    """One process's way to a remote system.

    Args:
        held: the remote system.
        owner: stands for the process.
        at: told of each boundary; may raise.
        chance: what fails.
        profile: how often.
        is_quiet: whether nothing fails any more.
    """

    def __init__(
        self,
        held: Held,
        owner: object,
        at: At,
        chance: Random,
        profile: Profile,
        is_quiet: Callable[[], bool],
    ) -> None:
        self.held = held
        self._is_quiet = is_quiet
        self._owner = owner
        self._at = at
        self._chance = chance
        self._profile = profile

    @property
    def fingerprint(self) -> str:
        """Stands for its settings."""
        return f"v{self.held.version}"

    def open(self, context: SinkContext, /) -> None:
        """Take it for this process alone."""
        self._at(f"opening {self.held.name}", True)
        self._refuse_while_away()
        if self.held.owner not in (None, self._owner):
            raise SinkUnavailable("Another process has it open.")
        behind = self.held.top - context.heads.get("main", 0)
        if behind > 0:
            self.held.violated(f"{self.held.name} is {behind} ahead of the store")
        self.held.owner = self._owner
        self.held.opens += 1

    def write(self, batch: Batch, /) -> WriteResult:
        """Write, and be killed anywhere; some records are refused."""
        self._at(f"writing {len(batch)} {batch.stream.name} to {self.held.name}", True)
        self._refuse_while_away()
        self.held.writes += 1
        self.held.batch_began_at = self.held.taken
        self._check(batch)
        applied, rejections = 0, []
        for change in batch.changes:
            self._at(f"writing {change.key} to {self.held.name}", False)
            if change.key in self.held.refused:
                rejections.append(Rejection(change.key, "not-now", "No."))
            else:
                applied += self.held.take(batch.stream.name, change)
        self._at(f"having written to {self.held.name}", True)
        self._fail_strangely()
        unchanged = len(batch) - applied - len(rejections)
        return WriteResult(applied, unchanged, tuple(rejections))

    def close(self) -> None:
        """Let others have it."""
        if self.held.owner is self._owner:
            self.held.owner = None

    def _check(self, batch: Batch) -> None:
        seqs = [change.seq for change in batch.stored]
        if seqs != sorted(seqs) or len({change.key for change in batch.stored}) < len(batch):
            self.held.violated(f"{self.held.name}: a batch is out of order: {seqs}")

    def _refuse_while_away(self) -> None:
        if not self._is_quiet() and self._chance.random() < self._profile.sink_down:
            self.held.away = not self.held.away
        if self.held.away:
            raise SinkUnavailable("It is away.")

    def _fail_strangely(self) -> None:
        if not self._is_quiet() and self._chance.random() < self._profile.bugs:
            raise RuntimeError("The connector has a bug.")
