"""Group commit: many webhook requests wait, one thread commits what they bring, all at once."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from time import monotonic
from typing import Final, Protocol

from zimun_sync.errors import StoreError
from zimun_sync.events import Emit, EventsReceived, StateUnavailable
from zimun_sync.store import Received

#: After so many seconds a sender should try again what could not be stored.
RETRY_SECONDS: Final = 10
#: How long a good write lets us trust that the next one will be good, seconds.
_FRESH_SECONDS: Final = 30.0
_AT_ONCE: Final = 1_000
_ROOM: Final = 10_000


class Inbox(Protocol):
    """Where events become durable; see `zimun_sync.store.inbox.Inbox`."""

    def add(self, events: Sequence[Received]) -> int:
        """Commit events, all or none; returns how many were not known yet."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event, and whom to tell what became of it: why it is not stored, or None if it is."""

    event: Received
    answer: asyncio.Future[str | None]


class Intake:
    """Takes events from an event loop and makes them durable in a thread of its own.

    Args:
        inbox: where they become durable.
        probe: writes something of no consequence where the inbox lies; raises StoreError.
        emit: told of every commit.
        failed: told what ended the thread, which should never end by itself.
        room: how many may wait; one more is refused.
    """

    def __init__(
        self,
        inbox: Inbox,
        probe: Callable[[], object],
        emit: Emit,
        failed: Callable[[BaseException], None],
        *,
        room: int = _ROOM,
    ) -> None:
        self._inbox = inbox
        self._probe = probe
        self._emit = emit
        self._failed = failed
        self._room = room
        self._waiting: deque[_Waiting] = deque()
        self._changed = Condition()
        self._closed = False
        self._probing = Lock()
        self._trusted_until = 0.0
        self._thread = Thread(target=self._guard, name="intake", daemon=True)

    def start(self) -> None:
        """Let events be taken."""
        self._thread.start()

    def stop(self, deadline: float) -> bool:
        """Take no more, commit what waits, and end; tells whether it ended by `deadline`.

        Args:
            deadline: on the monotonic clock, seconds.
        """
        self._close()
        if self._thread.ident is not None:  # else it never began
            self._thread.join(max(deadline - monotonic(), 0))
        return not self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many events wait for the next commit."""
        return len(self._waiting)

    async def take(self, event: Received) -> None:
        """Return as soon as the event is durable, whether it is new or had come before.

        Raises:
            StoreError: it is not stored; the sender should send it again.
        """
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise StoreError("No events are taken any more: the daemon is ending.")
            if len(self._waiting) >= self._room:
                raise StoreError(f"{self._room} events wait to be stored already.")
            self._waiting.append(_Waiting(event, answer))
            self._changed.notify()
        reason = await answer
        if reason is not None:
            raise StoreError(reason)

    def is_writable(self) -> bool:
        """Whether events can be stored, by the last commit or else by a try; may block."""
        if self._is_trusted():
            return True
        with self._probing:  # whoever asks meanwhile shares the outcome
            return self._is_trusted() or self._try()

    def _is_trusted(self) -> bool:
        return not self._closed and monotonic() < self._trusted_until

    def _try(self) -> bool:
        try:
            self._probe()
        except StoreError:
            return False
        self._trust()
        return not self._closed

    def _trust(self) -> None:
        self._trusted_until = monotonic() + _FRESH_SECONDS

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _guard(self) -> None:
        batch: Sequence[_Waiting] = ()
        try:
            while batch := self._next():
                self._store(batch)
        except BaseException as error:  # noqa: BLE001 - told to whoever runs the intake
            self._close()
            _tell([*batch, *self._waiting], "The daemon failed; its log tells how.")
            self._failed(error)

    def _next(self) -> list[_Waiting]:
        """What waits, as soon as something does; nothing when it is time to end."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]

    def _store(self, batch: Sequence[_Waiting]) -> None:
        """One commit for each source, of which there are few."""
        sources: dict[str, list[_Waiting]] = {}
        for each in batch:
            sources.setdefault(each.event.source, []).append(each)
        for source, waiting in sources.items():
            self._commit(source, waiting)

    def _commit(self, source: str, waiting: Sequence[_Waiting]) -> None:
        try:
            new = self._inbox.add([each.event for each in waiting])
        except StoreError as error:
            self._trusted_until = 0.0
            _tell(waiting, error.message)
            self._emit(StateUnavailable("intake", RETRY_SECONDS, error.message))
            return
        self._trust()
        _tell(waiting, None)
        self._emit(EventsReceived(source, received=new, duplicates=len(waiting) - new))


def _tell(waiting: Sequence[_Waiting], reason: str | None) -> None:
    """Let the requests be answered, on their event loop."""
    if waiting:
        with contextlib.suppress(RuntimeError):  # it is closed: nobody waits there any more
            waiting[0].answer.get_loop().call_soon_threadsafe(_answer, waiting, reason)


def _answer(waiting: Sequence[_Waiting], reason: str | None) -> None:
    for each in waiting:
        if not each.answer.done():  # it was cancelled
            each.answer.set_result(reason)
