"""The daemon's threads: each calls one step, again and again, until the daemon ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final, NamedTuple

from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.events import Emit, StateUnavailable

#: Seconds to wait after the state could not be read or written, from the first time on.
_BACKOFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


class Pause(NamedTuple):
    """What a worker does before its next step.

    Args:
        seconds: how long it waits.
        wakeable: whether it goes on as soon as it is woken; else it waits to the end.
    """

    seconds: float
    wakeable: bool = True


#: Goes on at once.
AT_ONCE: Final = Pause(0.0)

#: Does a piece of work.
Step = Callable[[], Pause]


@dataclass(slots=True)
class Worker:
    """One thread.

    Args:
        name: the thread's name.
        step: what it does again and again.
        finish: what it does at the end, whatever ended it.
    """

    name: str
    step: Step
    finish: Callable[[], None] = lambda: None
    wake: Event = field(default_factory=Event)


class Workers:
    """Runs workers until one of them fails, or `stop` is called.

    Trouble with the state is waited out: a database that restarts must not end the daemon. A
    lost lease and anything unexpected end it, for nothing good can come of going on.

    Args:
        emit: told of trouble with the state.
        failed: told what ended a worker; called once, from its thread.
    """

    def __init__(self, emit: Emit, failed: Callable[[BaseException], None]) -> None:
        self._emit = emit
        self._failed = failed
        self._stopping = Event()
        self._lock = Lock()
        self._has_failed = False
        self._workers: dict[str, Worker] = {}
        self._threads: list[Thread] = []

    def start(self, *workers: Worker) -> None:
        """Start a thread each."""
        for worker in workers:
            # A new mapping, so that whoever goes through the former one is not disturbed.
            self._workers = {**self._workers, worker.name: worker}
            thread = Thread(target=self._guard, args=(worker,), name=worker.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self, prefix: str) -> None:
        """Let the workers whose names begin so do their next step at once."""
        for name, worker in self._workers.items():
            if name.startswith(prefix):
                worker.wake.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until work should come to an end; tells whether it should."""
        return self._stopping.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Whether work under way should come to an end."""
        return self._stopping.is_set()

    def ask_to_stop(self) -> None:
        """Let every worker end after its present step."""
        self._stopping.set()
        for worker in self._workers.values():
            worker.wake.set()

    def join(self, deadline: float) -> list[str]:
        """Wait for all threads until `deadline` (monotonic); names of those that still run."""
        for thread in self._threads:
            thread.join(max(deadline - monotonic(), 0))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _guard(self, worker: Worker) -> None:
        try:
            self._work(worker)
        except BaseException as error:  # noqa: BLE001 - told to whoever runs the workers
            self._fail(error)
        finally:
            self._finish(worker)

    def _finish(self, worker: Worker) -> None:
        try:
            worker.finish()
        except BaseException as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            first, self._has_failed = not self._has_failed, True
        if first:
            self._failed(error)

    def _work(self, worker: Worker) -> None:
        failures = 0
        while not self.stopping:
            worker.wake.clear()
            try:
                pause = worker.step()
                failures = 0
            except LeaseLost:
                raise
            except StoreError as error:
                pause = Pause(_BACKOFF[min(failures, len(_BACKOFF) - 1)], wakeable=False)
                failures += 1
                self._emit(StateUnavailable(worker.name, pause.seconds, error.message))
            (worker.wake if pause.wakeable else self._stopping).wait(pause.seconds)
