"""What to do after an attempt: accept, try again, sign in again, or fail. Pure data in and out.

Nothing here waits, logs or talks to anyone, so every rule is a row of a table in the tests.
"""

import math
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from zimun_sync.errors import SourceError
from zimun_sync.network.headers import retry_after
from zimun_sync.zimun import refusals
from zimun_sync.zimun.outcome import Fault, Outcome, Purpose

#: Backoff without orders from the server: full jitter below 0.5 s, doubled each time to 20 s.
BACKOFF_FIRST: Final = 0.5
BACKOFF_MOST: Final = 20.0

_TOO_EARLY = 425
_BEYOND = 600  # no HTTP status is as high
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, _TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class Attempt(Struct, frozen=True):
    """Where a call stands.

    Args:
        number: 1 for the first.
        malformed: attempts so far that ended in a malformed answer, this one included.
        elapsed: seconds spent on attempts and waits; waits the server ordered do not count.
        took: seconds that this one took.
        refused: whether its access token was refused.
        fresh_token: whether the attempt before was refused, so that this one's token is new.
        jitter: a random number in [0, 1).
    """

    number: int = 1
    malformed: int = 0
    elapsed: float = 0.0
    took: float = 0.0
    refused: bool = False
    fresh_token: bool = False
    jitter: float = 0.0

    def then(self, outcome: Outcome, took: float, jitter: float) -> "Attempt":
        """Where the call stands after one more attempt that came to `outcome`."""
        return Attempt(
            number=self.number + 1,
            malformed=self.malformed + (outcome.fault is Fault.MALFORMED),
            elapsed=self.elapsed + took,
            took=took,
            refused=outcome.status == HTTPStatus.UNAUTHORIZED,
            fresh_token=self.refused,
            jitter=jitter,
        )

    def waited(self, seconds: float) -> "Attempt":
        """The same after a wait of our own choice."""
        return replace(self, elapsed=self.elapsed + seconds)


class Budget(Struct, frozen=True):
    """How far retrying goes; see the settings of the same names."""

    max_attempts: int
    max_malformed: int
    max_elapsed: float
    max_retry_after: float


class Accept(Struct, frozen=True):
    """The answer is good."""


class Reauthenticate(Struct, frozen=True):
    """The token was refused: fetch another and send the same request again, at once."""


class Retry(Struct, frozen=True):
    """Send the same request again after `after` seconds; `ordered` if the server said so."""

    after: float
    ordered: bool = False


class Fail(Struct, frozen=True):
    """Raise `error`; where `hold` is given, send nothing at all for so many seconds."""

    error: SourceError
    hold: float = 0.0


Decision = Accept | Reauthenticate | Retry | Fail


def decide(outcome: Outcome, attempt: Attempt, budget: Budget) -> Decision:
    """What follows from an attempt."""
    if outcome.fault is not None:
        return _after_fault(outcome, outcome.fault, attempt, budget)
    status = outcome.status or 0
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Accept()
    if status == HTTPStatus.UNAUTHORIZED and outcome.purpose is not Purpose.SIGN_IN:
        return Fail(refusals.token_refused(outcome)) if attempt.fresh_token else Reauthenticate()
    if status in _WORTH_ANOTHER_TRY or HTTPStatus.INTERNAL_SERVER_ERROR <= status < _BEYOND:
        return _after_trouble(outcome, attempt, budget)
    return Fail(refusals.refusal(outcome, status))


def retry_after_seconds(outcome: Outcome) -> float | None:
    """Seconds the server asks to wait from now; 0 for a time past, None where it asks nothing."""
    return retry_after(outcome.retry_after, date=outcome.date, received=outcome.received)


def backoff(attempt: Attempt) -> float:
    """Seconds to wait after an attempt when the server does not say."""
    ceiling = min(BACKOFF_MOST, math.ldexp(BACKOFF_FIRST, attempt.number - 1))
    return ceiling * attempt.jitter


def _after_trouble(outcome: Outcome, attempt: Attempt, budget: Budget) -> Decision:
    """The server is busy or broken: obey its orders, else back off."""
    ordered = retry_after_seconds(outcome)
    if ordered is None:
        return _again(attempt, budget) or Fail(refusals.busy(outcome, None))
    if ordered > budget.max_retry_after or attempt.number >= budget.max_attempts:
        return Fail(refusals.busy(outcome, ordered), hold=ordered)
    return Retry(ordered, ordered=True)


def _after_fault(outcome: Outcome, fault: Fault, attempt: Attempt, budget: Budget) -> Decision:
    hopeless = fault in {Fault.UNTRUSTED, Fault.TOO_LARGE}
    if hopeless or attempt.malformed >= budget.max_malformed:
        return Fail(refusals.faulty(outcome, fault))
    return _again(attempt, budget) or Fail(refusals.faulty(outcome, fault))


def _again(attempt: Attempt, budget: Budget) -> Retry | None:
    """Back off; None where another attempt as long as this one would overrun the budget."""
    wait = backoff(attempt)
    in_time = attempt.elapsed + wait + attempt.took <= budget.max_elapsed
    return Retry(wait) if in_time and attempt.number < budget.max_attempts else None
