"""The threads of a sync: one for each sink's delivery."""

from collections.abc import Sequence
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from zimun_sync.errors import SinkError
from zimun_sync.pipeline.deliver import Delivery, Progress

#: How long a sink's thread lets changes gather while a pull goes on, seconds.
GATHER_SECONDS = 1.0


class Loops:
    """Runs deliveries beside a pull; a context manager.

    Args:
        deliveries: one for each sink.
        stop: ends everything as soon as possible.
        patience: seconds without progress after which `drain` leaves a sink behind.
    """

    def __init__(self, deliveries: Sequence[Delivery], stop: Event, patience: float) -> None:
        self._stop = stop
        self._patience = patience
        self._draining = Event()
        self._failed: list[BaseException] = []
        self._threads = [
            Thread(target=self._guard, args=(delivery,), name=f"sink-{delivery.name}")
            for delivery in deliveries
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._draining.set()
        for thread in self._threads:
            thread.join()
        if kind is None and self._failed:
            raise self._failed[0]

    def _guard(self, delivery: Delivery) -> None:
        try:
            self._deliver(delivery)
        except BaseException as error:  # noqa: BLE001 - raised again where the thread is joined
            self._failed.append(error)
            self._stop.set()

    def _deliver(self, delivery: Delivery) -> None:
        """Step until everything is delivered after the pull, or the sink is given up on."""
        given_up_at: float | None = None
        while not self._stop.is_set():
            draining = self._draining.is_set()
            progress = delivery.step(more=not draining)
            if progress is Progress.PARKED or (draining and progress is Progress.IDLE):
                break
            if progress is not Progress.WAITING:
                given_up_at = None
                self._gather(delivery, progress)
                continue
            wait = delivery.wait if draining else self._wait_beside_pull(delivery)
            if self._draining.is_set():
                given_up_at = given_up_at or monotonic() + self._patience
                if monotonic() + wait > given_up_at:
                    break
            self._stop.wait(wait)
        self._close(delivery)

    def _wait_beside_pull(self, delivery: Delivery) -> float:
        """Wait until the sink is tried again or the pull is over; what is left to wait, seconds.

        When everything is pulled nothing else is left to do, and a sink is tried at once, unless
        it named a time itself.
        """
        until = monotonic() + delivery.wait
        if not self._draining.wait(delivery.wait):
            return 0.0
        if delivery.wait_is_named:
            return max(until - monotonic(), 0.0)
        delivery.forget_failures()
        return 0.0

    def _gather(self, delivery: Delivery, progress: Progress) -> None:
        if progress is Progress.IDLE or not delivery.behind:
            self._draining.wait(GATHER_SECONDS)

    def _close(self, delivery: Delivery) -> None:
        try:
            delivery.close()
        except SinkError as error:
            delivery.give_up(error)
