"""Carries a call through to its answer: attempt, decide, wait, repeat."""

from collections.abc import Callable
from typing import Protocol, TypeVar, cast

import httpx
from msgspec import Struct

from zimun_sync.zimun.decisions import Accept, Attempt, Budget, Fail, Reauthenticate, Retry, decide
from zimun_sync.zimun.gate import Gate
from zimun_sync.zimun.outcome import Outcome
from zimun_sync.zimun.sender import Sender, Tried
from zimun_sync.zimun.settings import ClientSettings
from zimun_sync.zimun.timing import Timing
from zimun_sync.zimun.wire import Call, Reply

T = TypeVar("T")


class Waiting(Struct, frozen=True):
    """Told to the observer before a wait.

    Args:
        call: method and path.
        reason: why it is repeated.
        seconds: how long the wait is.
        attempt: the attempt that failed, 1 for the first.
    """

    call: str
    reason: str
    seconds: float
    attempt: int


class TokenSource(Protocol):
    """Gives access tokens."""

    def get(self) -> str:
        """The current token, fetched if there is none or it is about to expire."""
        ...

    def discard(self, refused: str) -> None:
        """Forget a token that was refused; the next `get` fetches another."""
        ...


class Anonymous:
    """Gives no token: for the token endpoint itself."""

    def get(self) -> str:
        """Nothing."""
        return ""

    def discard(self, refused: str) -> None:
        """There is nothing to forget."""


class Exchange:
    """Sends calls and sees them through; safe to share between threads.

    Args:
        settings: timeouts, limits and the budget of retries.
        transport: the way to the network.
        timing: clocks, chance and waiting.
        observer: told of each wait before it begins.
    """

    def __init__(
        self,
        settings: ClientSettings,
        transport: httpx.BaseTransport,
        timing: Timing,
        observer: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._timing = timing
        self._sender = Sender(settings, transport, timing)
        self._observer = observer
        self._gate = Gate(timing, settings.max_retry_after)
        self._budget = Budget(
            settings.max_attempts,
            settings.max_malformed,
            settings.max_elapsed,
            settings.max_retry_after,
        )

    @property
    def clock_ahead(self) -> float:
        """Seconds that the server's clock is ahead of ours, by its answers so far."""
        return self._sender.clock_ahead

    def run(self, call: Call, parse: Callable[[Reply], T], tokens: TokenSource) -> T:
        """The parsed answer to a call.

        Args:
            call: what to send.
            parse: makes a value of a good answer; raises BodyFault for a malformed one.
            tokens: gives the bearer token.

        Raises:
            SourceError: the call failed for good, as `refusals` says.
        """
        attempt = Attempt(number=0)
        while True:
            self._gate.enter(call.name)
            token = tokens.get()
            tried, took = self._timed(call, parse, token)
            attempt = attempt.then(tried.outcome, took, self._timing.random())
            match decide(tried.outcome, attempt, self._budget):
                case Accept():
                    return cast("T", tried.value)
                case Reauthenticate():
                    tokens.discard(token)
                case Retry() as retry:
                    attempt = self._wait(tried.outcome, attempt, retry)
                case Fail(error, hold):
                    self._gate.close_for(hold)
                    raise error from tried.cause

    def _timed(self, call: Call, parse: Callable[[Reply], T], token: str) -> tuple[Tried[T], float]:
        began = self._timing.monotonic()
        tried = self._sender.send(call, parse, token)
        return tried, self._timing.monotonic() - began

    def _wait(self, outcome: Outcome, attempt: Attempt, retry: Retry) -> Attempt:
        if self._observer:
            self._observer(Waiting(outcome.call, outcome.reason, retry.after, attempt.number))
        if retry.ordered:
            self._gate.close_for(retry.after)  # where every thread waits
            return attempt
        self._timing.wait(retry.after)
        return attempt.waited(retry.after)
