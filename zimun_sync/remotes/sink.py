"""The sink of every remote system: the engine's side of a connector's `Remote`."""

from collections.abc import Sequence
from typing import Final

from zimun_sync.model import APPOINTMENTS
from zimun_sync.remotes.contract import Remote
from zimun_sync.remotes.mapping import Defaults
from zimun_sync.remotes.plan import Plan, plan_of
from zimun_sync.remotes.session import Session
from zimun_sync.remotes.settings import RemoteSettings
from zimun_sync.sinks import (
    Batch,
    Difference,
    Erasure,
    Forgotten,
    SinkContext,
    StartFrom,
    WriteResult,
)

#: Appointments of one batch at least: what a failure may have to look at again.
BATCH_ROWS: Final = 1_000


class RemoteSink:
    """Keeps a remote system true to the appointments.

    Args:
        remote: not connected.
        plan: what is written, and when.
    """

    def __init__(self, remote: Remote, plan: Plan) -> None:
        self._remote = remote
        self._plan = plan
        self._session: Session | None = None

    @property
    def batch_rows(self) -> int:
        """Most changes of one `write`."""
        return max(BATCH_ROWS, self._remote.abilities.batch)

    @property
    def fingerprint(self) -> str:
        """Stands for the mapping: another one has everything delivered anew."""
        return self._plan.fingerprint

    @property
    def start_from(self) -> StartFrom:
        """Which appointments are sent at all, by their start."""
        return self._plan.settings.start_from

    def open(self, context: SinkContext, /) -> None:
        """Connect, and see that it is the account whose ids are remembered.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: refused credentials, or another account.
        """
        if self._session is not None:
            return
        session = Session(self._remote, self._plan, context)
        session.connect()
        self._session = session

    def write(self, batch: Batch, /) -> WriteResult:
        """Bring the batch's appointments about; other streams only serve look-ups.

        Raises:
            SinkUnavailable: not now; what was done is remembered.
            SinkBroken: a person has to act.
            SinkHeld: a run would create more than it may.
        """
        if batch.stream.name != APPOINTMENTS.name:
            return WriteResult(0, skipped=len(batch))
        return self._opened().write(batch)

    def preview(self, batch: Batch, /, *, taken: bool = False) -> Sequence[Difference]:
        """What `write` would do, with the values that are there now.

        Args:
            batch: changes of one stream.
            taken: whether they were taken before: then what a replay would do.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a person has to act.
        """
        if batch.stream.name != APPOINTMENTS.name:
            return ()
        return self._opened().preview(batch, taken=taken)

    def forget(self, forgotten: Forgotten, /) -> Erasure:
        """Empty what is left in their appointments, and erase contacts that this sink made.

        Raises:
            SinkUnavailable: not now; what was done is remembered.
            SinkBroken: a person has to act.
        """
        return self._opened().forget(forgotten)

    def check(self, context: SinkContext, /) -> None:
        """Sign in and read whose system it is; writes nothing.

        Raises:
            SinkUnavailable: it cannot be reached now.
            SinkBroken: refused credentials, or another account.
        """
        session = Session(self._remote, self._plan, context)
        try:
            session.connect()
        finally:
            self._remote.close()

    def close(self) -> None:
        """Let go of connections. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            session.budget.flush()
        self._remote.close()

    def _opened(self) -> "Session":
        if self._session is None:
            msg = "open the sink first"
            raise RuntimeError(msg)
        return self._session


def remote_sink(remote: Remote, settings: RemoteSettings, defaults: Defaults) -> RemoteSink:
    """The sink of a connector's remote.

    Args:
        remote: not connected.
        settings: the sink's section of the configuration.
        defaults: the connector's own mapping.
    """
    return RemoteSink(remote, plan_of(settings, defaults))
