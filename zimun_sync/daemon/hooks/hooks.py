"""Calls hooks when events come, again after failures, and in order."""

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import Final

from zimun_sync.config.serving import HookSettings
from zimun_sync.daemon.hooks.calling import Transport, send
from zimun_sync.daemon.hooks.occasions import Occasion, occasion_of
from zimun_sync.daemon.hooks.sinks import SinkProgress
from zimun_sync.errors import StoreError
from zimun_sync.events import Emit, Event, HookCalled, HookFailed
from zimun_sync.network.transport import DeadlineTransport
from zimun_sync.store import HookCall, NewCall, Store

#: Seconds after each failed try, before jitter; after one more failure a call is given up.
WAITS: Final = (10.0, 60.0, 300.0, 900.0, 3_600.0)
#: The same where a late call would tell little.
_WAITS_OF: Final = {"started": WAITS[:1]}
#: Share by which chance lengthens a wait at most.
_JITTER: Final = 0.2
#: How often sinks that a call waits for are looked at, seconds.
LOOK_SECONDS: Final = 2.0
#: How long a call waits for sinks, seconds.
SINK_PATIENCE: Final = 86_400.0
#: Occasions kept in memory while the state cannot be written; beyond that the oldest go.
_KEPT: Final = 1_000
_GONE: Final = "The hook is no longer configured."


class Hooks:
    """Makes calls durable as events come and makes one call a step; nothing sleeps here.

    A call may come twice: when the process ended between its answer and the record of it. Calls
    of a hook about the same subject come in order: none overtakes one that is tried again.

    Args:
        settings: hooks by name.
        progress: tells whether sinks have taken what a call waits for.
        store: the state.
        emit: told what came of calls.
        transport: makes the way to an address, as far as it may lead.
        chance: a number from 0 to 1, spreads retries.
    """

    def __init__(
        self,
        settings: Mapping[str, HookSettings],
        progress: SinkProgress,
        store: Store,
        emit: Emit,
        transport: Transport = DeadlineTransport,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._store = store
        self._emit = emit
        self._transport = transport
        self._chance = chance
        self._lock = Lock()
        self._kept: deque[tuple[Occasion, int]] = deque(maxlen=_KEPT)

    def listen(self, event: Event, /) -> None:
        """Enter the calls that an event asks for; from any thread, raises nothing."""
        occasion = occasion_of(event)
        if occasion is None or not self._called_by(occasion):
            return
        with self._lock:
            self._kept.append((occasion, self._store.now()))
            with suppress(StoreError):  # it stays; the next step enters it, or tells why not
                self._enter()

    def step(self) -> float | None:
        """Make the next call that is due.

        Returns:
            Seconds until there is something to do again; None if nothing is pending.

        Raises:
            StoreError: the state could not be read or written; no call is lost by that.
        """
        with self._lock:
            self._enter()
        now, waits, held = self._store.now(), list[float](), set[tuple[str, str]]()
        for call in self._configured():
            line = (call.hook, call.payload["subject"])
            if line in held:
                continue
            wait = self._look(call, now)
            if wait == 0:
                return 0.0
            waits.append(wait)
            if not call.waits_for_sinks:
                held.add(line)
        return min(waits, default=None)

    # -- entering ------------------------------------------------------------------------

    def _called_by(self, occasion: Occasion) -> list[str]:
        return [name for name, each in self._settings.items() if occasion.concerns(name, each)]

    def _enter(self) -> None:
        while self._kept:
            self._store.hook_calls.add(*self._calls(*self._kept[0]))
            self._kept.popleft()

    def _calls(self, occasion: Occasion, at: int) -> Iterator[NewCall]:
        for name in self._called_by(occasion):
            sinks = self._settings[name].sinks if occasion.has_run else ()
            yield occasion.call(name, self._progress.needs(sinks, occasion.source), at)

    # -- calling -------------------------------------------------------------------------

    def _configured(self) -> Iterator[HookCall]:
        """Calls that are not over; those of hooks that are gone are dropped."""
        for call in self._store.hook_calls.waiting():
            if call.hook in self._settings:
                yield call
            else:
                self._store.hook_calls.drop(call.id, _GONE)

    def _look(self, call: HookCall, now: int) -> float:
        """Make or give up a call if it is time; else the seconds until it may be."""
        sink = self._sink_behind(call)
        if sink is not None:
            if now - call.created_at < SINK_PATIENCE * 1e6:
                return LOOK_SECONDS
            self._give_up(call, call.attempts, self._late(sink))
        elif call.due_at > now:
            return (call.due_at - now) / 1e6
        else:
            self._make(call)
        return 0.0

    def _sink_behind(self, call: HookCall) -> str | None:
        if not call.waits_for_sinks:
            return None
        return self._progress.behind(call.needs, self._settings[call.hook].sinks)

    def _late(self, sink: str) -> str:
        parked = self._store.deliveries.parked().get(sink)
        why = "" if parked is None else f" It is parked: {parked.reason}"
        hours = SINK_PATIENCE / 3600
        return f"Sink {sink} has not taken the run's last change within {hours:g} hours.{why}"

    def _make(self, call: HookCall) -> None:
        error = send(self._settings[call.hook], call.payload, self._transport)
        tries = call.attempts + 1
        if not error:
            self._store.hook_calls.done(call.id)
            self._emit(HookCalled(call.hook, call.event, tries))
            return
        waits = _WAITS_OF.get(call.event, WAITS)
        if call.attempts >= len(waits):
            self._give_up(call, tries, error)
            return
        wait = waits[call.attempts] * (1 + _JITTER * self._chance())
        due_at = self._store.now() + int(wait * 1e6)
        self._store.hook_calls.try_again(call.id, due_at, error)
        self._emit(HookFailed(call.hook, call.event, tries, wait, error))

    def _give_up(self, call: HookCall, tries: int, error: str) -> None:
        self._store.hook_calls.give_up(call.id, error)
        self._emit(HookFailed(call.hook, call.event, tries, None, error))
