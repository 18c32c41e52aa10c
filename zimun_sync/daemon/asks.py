"""What commands ask of the daemon, through the store, and its answers."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from threading import Event
from time import monotonic
from typing import Any, Final

import msgspec

from zimun_sync.daemon.engine import Engine
from zimun_sync.daemon.pulls import FAILED, INTERRUPTED, Pulled
from zimun_sync.daemon.verifying import Verifying
from zimun_sync.daemon.workers import AT_ONCE, Pause
from zimun_sync.errors import ConfigError, LeaseLost, StoreError, ZimunSyncError
from zimun_sync.events import Emit, StateUnavailable
from zimun_sync.pipeline.deliver import Totals
from zimun_sync.pipeline.listings import Interrupted
from zimun_sync.pipeline.report import SyncReport, lag_of, sink_report
from zimun_sync.store import Store
from zimun_sync.store.requests import Request

_LOOK_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 5.0

#: What a request comes to, as JSON values: `{"report": …}`, `{"done": …}` or `{"error": …}`.
Outcome = Mapping[str, Any]


class Asks:
    """Answers requests, each on a thread of a small pool.

    Args:
        store: where requests wait.
        engine: gives the present engine, for a reload may replace it.
        reload: puts a changed configuration into effect.
        failed: told what went wrong that never should.
        emit: told of trouble with the state.
    """

    def __init__(
        self,
        store: Store,
        engine: Callable[[], Engine],
        reload: Callable[[], None],
        failed: Callable[[BaseException], None],
        emit: Emit,
    ) -> None:
        self._store = store
        self._engine = engine
        self._put_into_effect = reload
        self._failed = failed
        self._emit = emit
        self._closed = Event()
        self._kinds: Mapping[str, Callable[[Mapping[str, Any]], Outcome]] = {
            "sync": self._sync,
            "confirm": self._confirm,
            "reload": self._reload,
            "verify": self._verify,
            "forget": self._forget,
        }
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="ask")

    def step(self) -> Pause:
        """Begin with the next request, if there is one."""
        request = self._store.requests.take()
        if request is None:
            return Pause(_LOOK_SECONDS)
        self._pool.submit(self._answer, request)
        return AT_ONCE

    def clear(self) -> None:
        """Tell who asked a daemon that was killed that it has ended."""
        self._store.requests.finish_all(_ENDED)

    def close(self) -> None:
        """Take no more; whoever still waits is told that the daemon ends."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._store.requests.finish_all(_ENDED)

    def _answer(self, request: Request) -> None:
        try:
            outcome = self._outcome(request)
        except BaseException as error:  # noqa: BLE001 - ends the daemon, as in any worker
            outcome = _error("The daemon failed; its log tells how.")
            self._failed(error)
        self._tell(request, outcome)

    def _tell(self, request: Request, outcome: Outcome) -> None:
        """Give the answer, as soon as the state takes it."""
        while True:
            try:
                self._store.requests.finish(request.id, outcome)
            except StoreError as error:
                self._emit(StateUnavailable("ask", _AGAIN_SECONDS, error.message))
                if self._closed.wait(_AGAIN_SECONDS):
                    return  # who asked sees that the daemon has ended
            else:
                return

    def _outcome(self, request: Request) -> Outcome:
        work = self._kinds.get(request.kind)
        if work is None:
            return _error(f"This daemon does not know requests of kind {request.kind!r}.")
        try:
            return work(request.arguments)
        except LeaseLost:
            raise
        except Interrupted:
            return _ENDED
        except ZimunSyncError as error:
            return _error(error.message, error.hint)

    def _sync(self, arguments: Mapping[str, Any]) -> Outcome:
        engine = self._engine()
        unknown = set(arguments["sources"]) - set(engine.jobs)
        if unknown:
            raise ConfigError(
                f"The daemon knows no source named {min(unknown)!r}.",
                hint="If it is new in the configuration: `zimun-sync config reload`.",
            )
        before = {name: copy(each.totals) for name, each in engine.deliveries.items()}
        pulled = [
            engine.pulls.pull(name, "request", full=arguments["full"])
            for name in arguments["sources"]
        ]
        heads = self._store.feed.heads()
        self._let_sinks_settle(engine, heads)
        broken = next((each for each in pulled if each.status == FAILED and not each.runs), None)
        if broken is not None:
            return _error(broken.reason, broken.hint)
        return {"report": msgspec.to_builtins(self._report(engine, pulled, before, heads))}

    def _report(
        self,
        engine: Engine,
        pulled: Sequence[Pulled],
        before: Mapping[str, Totals],
        heads: Mapping[str, int],
    ) -> SyncReport:
        names = {run.source for each in pulled for run in each.runs}
        return SyncReport(
            runs=tuple(run for each in pulled for run in each.runs),
            sinks={
                name: sink_report(self._store, each, before[name], heads)
                for name, each in engine.deliveries.items()
            },
            in_quarantine=self._store.quarantine.count_open(sorted(names), list(engine.deliveries)),
            interrupted=any(each.status == INTERRUPTED for each in pulled),
        )

    def _let_sinks_settle(self, engine: Engine, heads: Mapping[str, int]) -> None:
        """Wait for the sinks to pass these sequences, as long as any of them makes progress."""
        patience = engine.config.sync.sink_patience
        behind, until = self._behind(engine, heads), monotonic() + patience
        while behind and monotonic() < until and not engine.workers.wait(_SETTLE_SECONDS):
            now_behind = self._behind(engine, heads)
            if now_behind != behind:
                behind, until = now_behind, monotonic() + patience

    def _behind(self, engine: Engine, heads: Mapping[str, int]) -> Mapping[str, int]:
        """Changes that sinks have not taken yet; parked ones wait for someone else."""
        parked = self._store.deliveries.parked()
        lags = {
            name: lag_of(self._store, each, heads).changes
            for name, each in engine.deliveries.items()
            if name not in parked
        }
        return {name: lag for name, lag in lags.items() if lag}

    def _confirm(self, arguments: Mapping[str, Any]) -> Outcome:
        engine = self._engine()
        run = engine.pulls.confirm(arguments["run_id"])
        engine.pull_ended()
        return {"done": {"tombstoned": run.tombstoned}}

    def _forget(self, arguments: Mapping[str, Any]) -> Outcome:
        """Forget in the state, then give the sinks as long as any of them makes progress."""
        engine = self._engine()
        engine.forget()
        number = int(arguments["id"])
        self._wait_for_receipts(engine, number)
        return {"done": {"id": number}}

    def _wait_for_receipts(self, engine: Engine, number: int) -> None:
        patience = engine.config.sync.sink_patience
        waiting, until = self._owing(number), monotonic() + patience
        while waiting and monotonic() < until and not engine.workers.wait(_SETTLE_SECONDS):
            still = self._owing(number)
            if still != waiting:
                waiting, until = still, monotonic() + patience

    def _owing(self, number: int) -> set[str]:
        """Sinks that have yet to erase what they held; parked ones wait for someone else."""
        parked = self._store.deliveries.parked()
        return {
            each.sink
            for each in self._store.forgettings.get(number).receipts
            if each.status == "pending" and not each.message and each.sink not in parked
        }

    def _verify(self, arguments: Mapping[str, Any]) -> Outcome:
        verifying = Verifying(self._engine(), self._store)
        return {"verified": verifying.answer(arguments["sinks"], arguments["sources"])}

    def _reload(self, _arguments: Mapping[str, Any]) -> Outcome:
        self._put_into_effect()
        return {"done": {}}


def _error(message: str, hint: str = "") -> Outcome:
    return {"error": {"message": message, "hint": hint}}


_ENDED: Final = _error(
    "The daemon ended, or was reloaded, before it was done.", "Ask again: it goes on."
)
