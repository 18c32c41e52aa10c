"""Holding leases while work goes on."""

from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.store import LEASE_SECONDS, Lease, Store

_RENEW_SECONDS: Final = LEASE_SECONDS / 3
_AGAIN_SECONDS: Final = 5.0


class Leases:
    """Leases that are held together: all or none.

    Args:
        store: where the leases are.
        names: what to hold.
    """

    def __init__(self, store: Store, names: Sequence[str]) -> None:
        self._store = store
        self._names = names
        self.held: dict[str, Lease] = {}

    def acquire(self) -> None:
        """Take all of them.

        Raises:
            LeaseHeld: another process holds one; none is held.
        """
        try:
            for name in self._names:
                self.held[name] = self._store.leases.acquire(name)
        except BaseException:
            self.release()
            raise

    def renew(self) -> None:
        """Put the expiry of all off.

        Raises:
            LeaseLost: someone else took one meanwhile.
        """
        for lease in self.held.values():
            self._store.leases.renew(lease)

    def release(self) -> None:
        """Let others have them at once."""
        for lease in self.held.values():
            self._store.leases.release(lease)
        self.held.clear()


class LeaseKeeper(Leases):
    """Renews leases in time, on a thread of its own; a context manager.

    Args:
        store: where the leases are.
        names: what to hold.
        stop: set when a lease was lost, so that work ends.
    """

    def __init__(self, store: Store, names: Sequence[str], stop: Event) -> None:
        super().__init__(store, names)
        self._stop = stop
        self._done = Event()
        self._thread = Thread(target=self._keep, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self.acquire()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.release()

    def _keep(self) -> None:
        wait = _RENEW_SECONDS
        while not self._done.wait(wait):
            wait = _RENEW_SECONDS
            try:
                self.renew()
            except LeaseLost:
                # The next commit is refused and says so; ending early spares the work.
                self._stop.set()
                return
            except StoreError:
                wait = _AGAIN_SECONDS  # a lease that runs out fences every commit
