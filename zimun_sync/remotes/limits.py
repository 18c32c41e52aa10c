"""How often one account may be called: by what is configured, and by what its headers say.

One `Limits` for each account in the process, so that all its sinks share what there is.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Protocol

from zimun_sync.remotes.contract import NotSent

#: Longest wait within a call, seconds; a longer one is left to the engine.
LONGEST_WAIT: Final = 12.0

_DAY: Final = 86_400.0


class Stop(Protocol):
    """Ends a wait early, as `threading.Event` does."""

    def wait(self, timeout: float, /) -> bool:
        """Wait so many seconds, or until it is set; tells whether it is."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer's headers say is left; None where they do not say.

    Args:
        remaining: calls left in the server's present window.
        resets_in: seconds until that window is over at the latest; None: our own window's length.
        daily_remaining: calls left today.
        daily_limit: calls a day.
        daily_resets_in: seconds until a used-up day is worth another try; None: UTC midnight.
    """

    remaining: int | None = None
    resets_in: float | None = None
    daily_remaining: int | None = None
    daily_limit: int | None = None
    daily_resets_in: float | None = None


Observe = Callable[[Mapping[str, str]], Budget]


def _silent(_headers: Mapping[str, str], /) -> Budget:
    """For a system whose headers say nothing."""
    return Budget()


@dataclass(frozen=True, slots=True)
class Pace:
    """What is configured of an account's limits.

    Args:
        per_window: calls within any `window_seconds`.
        window_seconds: length of the window.
        groups: for calls of a group, further limits of their own: (calls, window in seconds).
        observe: reads an answer's headers, by lower-case name; raises nothing.
        daily_reserve: calls of the day that are left to others.
    """

    per_window: int
    window_seconds: float
    groups: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    observe: Observe = _silent
    daily_reserve: int = 0


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long nothing may be sent, and why."""

    seconds: float
    why: str


class _Window:
    """Counts calls in a window that slides with time."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def wait(self, now: float, most: int, seconds: float) -> float:
        """Seconds until one more call is within the limit."""
        while self._calls and self._calls[0] + seconds <= now:
            self._calls.popleft()
        return self._calls[-most] + seconds - now if len(self._calls) >= most else 0.0

    def count(self, now: float) -> None:
        """A call is made."""
        self._calls.append(now)


class Limits:
    """The limits of one account; safe to share between threads.

    Args:
        pace: what is configured.
        monotonic: seconds that never go back.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pace = pace
        self._monotonic = monotonic
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, _Window] = {}
        self._silent_until = float("-inf")
        self._granted: int | None = None  # by the server, until its window ends
        self._granted_until = float("-inf")
        self._day_over_until = float("-inf")  # by the clock, as days are
        self._day_left = ""

    def configure(self, pace: Pace) -> None:
        """Go by another pace from now on; calls made so far still count."""
        with self._lock:
            if pace.daily_reserve != self._pace.daily_reserve:
                self._day_over_until = float("-inf")  # judged anew by the next answer
            self._pace = pace

    def enter(self, group: str, stop: Stop) -> None:
        """Wait for one call's turn and count it.

        Args:
            group: the call's group; empty or unknown: none.
            stop: ends the wait.

        Raises:
            NotSent: the wait would be longer than `LONGEST_WAIT`, or was stopped.
        """
        patience = self._monotonic() + LONGEST_WAIT
        while (wait := self._take(group)) is not None:
            if self._monotonic() + wait.seconds > patience:
                raise NotSent(
                    f"{wait.why} Another {wait.seconds:.0f} seconds have to pass.",
                    retry_after=wait.seconds,
                    hint="It goes on by itself after that time.",
                )
            if stop.wait(wait.seconds):
                raise NotSent(
                    "Stopped while waiting for a limit of the remote system.",
                    hint="Start it again; it goes on where it stopped.",
                )

    def learn(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer's headers, by lower-case name."""
        with self._lock:
            self._apply(self._pace.observe(headers))

    def hold(self, seconds: float) -> None:
        """Let nobody of the account call for so long; never shortens a longer time."""
        with self._lock:
            self._silent_until = max(self._silent_until, self._monotonic() + seconds)

    def exhausted(self) -> None:
        """The server says there were too many calls, but not for how long: let a window pass."""
        self.hold(self._pace.window_seconds)

    def _apply(self, budget: Budget) -> None:
        if budget.remaining is not None:
            ends_in = budget.resets_in
            self._granted = budget.remaining
            self._granted_until = self._monotonic() + (
                self._pace.window_seconds if ends_in is None else ends_in
            )
        if budget.daily_remaining is not None:
            self._day_left = f"{budget.daily_remaining} of {budget.daily_limit or 'its'} calls"
            over = budget.daily_remaining <= self._pace.daily_reserve
            self._day_over_until = self._next_day(budget) if over else float("-inf")

    def _next_day(self, budget: Budget) -> float:
        now = self._clock()
        if budget.daily_resets_in is not None:
            return now + budget.daily_resets_in
        return now - now % _DAY + _DAY

    def _take(self, group: str) -> _Wait | None:
        """Count a call if it may be made now; else how long it may not."""
        with self._lock:
            now = self._monotonic()
            limits = self._limits(group)
            wait = max(self._waits(limits, now), key=lambda each: each.seconds)
            if wait.seconds > 0:
                return wait
            if self._granted is not None:
                self._granted -= 1
            for name in limits:
                self._windows[name].count(now)
            return None

    def _limits(self, group: str) -> dict[str, tuple[int, float]]:
        """The limits that a call counts against, by group; the empty name stands for all calls."""
        pace = self._pace
        limits = {"": (pace.per_window, pace.window_seconds)}
        if group in pace.groups:
            limits[group] = pace.groups[group]
        return limits

    def _waits(self, limits: Mapping[str, tuple[int, float]], now: float) -> list[_Wait]:
        waits = [
            self._window_wait(name, now, most, seconds) for name, (most, seconds) in limits.items()
        ]
        if self._granted is not None and self._granted <= 0:
            waits.append(_Wait(self._granted_until - now, "The account's calls are used up."))
        waits.append(_Wait(self._silent_until - now, "The remote system asked for silence."))
        day = self._day_over_until - self._clock()
        waits.append(_Wait(day, f"Only {self._day_left} of the account's day are left."))
        return waits

    def _window_wait(self, name: str, now: float, most: int, seconds: float) -> _Wait:
        window = self._windows.setdefault(name, _Window())
        what = f"{name} calls" if name else "calls"
        return _Wait(
            window.wait(now, most, seconds),
            f"The account's {most} {what} in {seconds:g} s are made.",
        )


_accounts: dict[str, Limits] = {}
_accounts_lock = Lock()


def limits_for(
    key: str,
    *,
    per_window: int,
    window_seconds: float,
    groups: Mapping[str, tuple[int, float]] | None = None,
    observe: Observe = _silent,
    daily_reserve: int = 0,
) -> Limits:
    """The limits of an account, the same for every sink of it in this process.

    Args:
        key: stands for the account, or for the credentials where these have limits of their
            own; never shown.
        per_window: calls within any `window_seconds`; where sinks of an account differ in this
            or another setting, the latest counts.
        window_seconds: length of the window.
        groups: for calls of a group, further limits of their own: (calls, window in seconds).
        observe: reads an answer's headers, by lower-case name; raises nothing.
        daily_reserve: calls of the day that are left to others.
    """
    pace = Pace(per_window, window_seconds, groups or {}, observe, daily_reserve)
    with _accounts_lock:
        limits = _accounts.get(key)
        if limits is None:
            limits = _accounts[key] = Limits(pace)
        else:
            limits.configure(pace)
        return limits
