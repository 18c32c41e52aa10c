"""Comparing the daemon's sinks with the store, each on the thread that delivers to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec

from zimun_sync.daemon.engine import Engine
from zimun_sync.errors import SinkUnavailable
from zimun_sync.pipeline.listings import Interrupted
from zimun_sync.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from zimun_sync.pipeline.findings import Compared
    from zimun_sync.pipeline.verify_sinks import SinkInQuestion
    from zimun_sync.sinks import Sink

_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Verifying:
    """What the daemon does for `verify`.

    Args:
        engine: with the sinks at hand.
        store: what they should hold.
    """

    engine: Engine
    store: Store

    def answer(self, sinks: Sequence[str], sources: Sequence[str]) -> Mapping[str, Any]:
        """Compare these sinks, as far as they are given these sources; JSON values.

        Raises:
            Interrupted: the daemon is about to end.
            StoreError: the state cannot be read.
        """
        from zimun_sync.pipeline.verify_sinks import compare_sink, state_of

        found: list[Compared] = []
        states = {}
        for about in (self._about(name, sources) for name in sinks if self._has(name)):
            lend = self._lender(about.name)
            found += compare_sink(self.store, about, lend, self.engine.is_stopping)
            states[about.name] = state_of(self.store, about)
        answer: Mapping[str, Any] = msgspec.to_builtins({"compared": found, "states": states})
        return answer

    def _has(self, name: str) -> bool:
        return name in self.engine.deliveries

    def _about(self, name: str, sources: Sequence[str]) -> "SinkInQuestion":
        from zimun_sync.pipeline.verify_sinks import SinkInQuestion

        delivery = self.engine.deliveries[name]
        streams = {
            source: job.streams for source, job in self.engine.jobs.items() if source in sources
        }
        return SinkInQuestion(name, delivery.sink, streams, delivery.streams, delivery.guard)

    def _lender(self, name: str) -> "Callable[[Callable[[Sink], Compared]], Compared]":
        def lend(work: "Callable[[Sink], Compared]") -> "Compared":
            return self._lent(name, work)

        return lend

    def _lent(self, name: str, work: "Callable[[Sink], Compared]") -> "Compared":
        """Have the sink's own thread do it, as soon as it comes to it."""
        from zimun_sync.pipeline.verify_sinks import bugs_told, guarded

        patience = self.engine.config.sync.sink_patience
        answer = self.engine.deliveries[name].errands.ask(guarded(work))
        self.engine.workers.wake(f"sink:{name}")
        until = monotonic() + patience
        while not answer.done():
            stopping = self.engine.workers.wait(_LOOK_SECONDS)
            if (stopping or monotonic() > until) and answer.cancel():
                raise Interrupted if stopping else _busy(name, patience)
        with bugs_told():  # opening it may raise anything
            return answer.result()


def _busy(name: str, patience: float) -> SinkUnavailable:
    return SinkUnavailable(
        f"Sink {name} did not come to it within {patience:.0f} s.",
        hint=f"`zimun-sync sinks show {name}` tells what it waits for.",
    )
