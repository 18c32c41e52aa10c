"""Work that others have for a sink, done by the thread that delivers to it, between batches."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from zimun_sync.sinks import Sink

T = TypeVar("T")


class _Errand(NamedTuple):
    work: Callable[[Sink], Any]
    answer: "Future[Any]"


class Errands:
    """A queue of work for one sink: a connector is used by one thread at a time."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[_Errand] = SimpleQueue()

    def ask(self, work: Callable[[Sink], T]) -> "Future[T]":
        """Have something done with the open sink; from any thread.

        The future raises what the work raised, or what opening the sink did. Cancel it to take
        the work back, as far as it has not begun.
        """
        answer: Future[T] = Future()
        self._waiting.put(_Errand(work, answer))
        return answer

    def run(self, opened: Callable[[], Sink]) -> bool:
        """Do what waits; tells whether something of it failed.

        Args:
            opened: opens the sink where it is not open.
        """
        failed = False
        while (errand := self._next()) is not None:
            if errand.answer.set_running_or_notify_cancel():
                failed |= not _done(errand, opened)
        return failed

    def _next(self) -> _Errand | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None


def _done(errand: _Errand, opened: Callable[[], Sink]) -> bool:
    try:
        result = errand.work(opened())
    except Exception as error:  # noqa: BLE001 - raised again where the answer is waited for
        errand.answer.set_exception(error)
        return False
    errand.answer.set_result(result)
    return True
