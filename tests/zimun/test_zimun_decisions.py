"""Every rule of retrying as a row of a table."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    NotFound,
    PageTokenExpired,
    RequestRefused,
    ScopeMissing,
    SlotTaken,
    SourceError,
    SourceUnavailable,
)
from zimun_sync.network.headers import RETRY_AFTER_MOST
from zimun_sync.zimun.decisions import (
    Accept,
    Attempt,
    Budget,
    Decision,
    Fail,
    Reauthenticate,
    Retry,
    backoff,
    decide,
    retry_after_seconds,
)
from zimun_sync.zimun.outcome import Fault, Outcome, Purpose

BUDGET = Budget(max_attempts=8, max_malformed=4, max_elapsed=45.0, max_retry_after=120.0)
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"
LATER = "Fri, 20 Nov 2026 12:00:07 GMT"
EARLIER = "Fri, 20 Nov 2026 11:00:00 GMT"


def after(outcome: Outcome, attempt: Attempt | None = None) -> Decision:
    return decide(outcome, attempt or Attempt(jitter=0.5), BUDGET)


def answered(
    status: int,
    purpose: Purpose = Purpose.OTHER,
    retry_after: str | None = None,
    date: str | None = None,
) -> Outcome:
    return Outcome(
        "GET /x",
        purpose,
        status=status,
        retry_after=retry_after,
        date=date,
        received=NOON.timestamp(),
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_accepted(status: int) -> None:
    assert after(answered(status)) == Accept()


@pytest.mark.parametrize(
    ("status", "purpose", "error"),
    [
        (100, Purpose.OTHER, RequestRefused),
        (301, Purpose.OTHER, RequestRefused),
        (307, Purpose.NEXT_PAGE, RequestRefused),
        (302, Purpose.SIGN_IN, RequestRefused),
        (400, Purpose.OTHER, RequestRefused),
        (400, Purpose.BOOKING, RequestRefused),
        (400, Purpose.NEXT_PAGE, PageTokenExpired),
        (410, Purpose.NEXT_PAGE, PageTokenExpired),
        (404, Purpose.NEXT_PAGE, NotFound),
        (404, Purpose.OTHER, NotFound),
        (410, Purpose.OTHER, NotFound),
        (403, Purpose.OTHER, ScopeMissing),
        (403, Purpose.BOOKING, ScopeMissing),
        (409, Purpose.BOOKING, SlotTaken),
        (409, Purpose.OTHER, RequestRefused),
        (405, Purpose.OTHER, RequestRefused),
        (422, Purpose.BOOKING, RequestRefused),
        (451, Purpose.OTHER, RequestRefused),
        (600, Purpose.OTHER, RequestRefused),
        (400, Purpose.SIGN_IN, AuthenticationFailed),
        (401, Purpose.SIGN_IN, AuthenticationFailed),
        (403, Purpose.SIGN_IN, AuthenticationFailed),
        (404, Purpose.SIGN_IN, AuthenticationFailed),
    ],
)
def test_a_refusal_fails_at_once(status: int, purpose: Purpose, error: type[SourceError]) -> None:
    decision = after(answered(status, purpose))
    assert isinstance(decision, Fail)
    assert type(decision.error) is error
    assert "GET /x" in decision.error.message
    assert str(status) in decision.error.message
    assert decision.error.hint
    assert decision.hold == 0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_trouble_is_waited_out(status: int) -> None:
    assert after(answered(status)) == Retry(0.25)


def test_the_first_401_signs_in_again() -> None:
    assert after(answered(401)) == Reauthenticate()


def test_a_second_401_in_a_row_fails() -> None:
    decision = after(answered(401), Attempt(2, fresh_token=True))
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, AuthenticationFailed)


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("7", DATE, 7.0),
        ("0", DATE, 0.0),
        (" 120 ", DATE, 120.0),
        ("1.5", DATE, 1.5),
        (LATER, DATE, 7.0),
        (LATER, None, 7.0),
        (LATER, "garbage", 7.0),
        (EARLIER, DATE, 0.0),
        # the server's clock is an hour behind ours, and its own date says so
        ("Fri, 20 Nov 2026 11:00:07 GMT", EARLIER, 7.0),
        ("Friday, 20-Nov-26 12:00:07 GMT", DATE, 7.0),
        ("Fri Nov 20 12:00:07 2026", DATE, 7.0),
    ],
)
def test_retry_after_is_obeyed_exactly(
    status: int, retry_after: str, date: str, seconds: float
) -> None:
    outcome = answered(status, retry_after=retry_after, date=date)
    assert after(outcome) == Retry(seconds, ordered=True)


@pytest.mark.parametrize("garbage", ["soon", "", "-5", "1e3", "+4", "0x10", "٣", "NaN", "inf"])
def test_a_retry_after_that_says_nothing_leaves_our_own_backoff(garbage: str) -> None:
    assert after(answered(429, retry_after=garbage)) == Retry(0.25)


@pytest.mark.parametrize(
    "retry_after", ["121", "86400", "9" * 400, "Fri, 01 Jan 2027 00:00:00 GMT"]
)
def test_a_long_retry_after_ends_the_call_and_holds_all_back(retry_after: str) -> None:
    decision = after(answered(429, retry_after=retry_after, date=DATE))
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, SourceUnavailable)
    assert decision.error.retry_after == decision.hold
    assert 120 < decision.hold <= RETRY_AFTER_MOST


def test_the_last_attempt_hands_the_servers_order_on() -> None:
    decision = after(answered(429, retry_after="9"), Attempt(8))
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, SourceUnavailable)
    assert (decision.error.retry_after, decision.hold) == (9.0, 9.0)


@pytest.mark.parametrize(
    ("fault", "attempt", "error"),
    [
        (Fault.UNREACHABLE, Attempt(1), None),
        (Fault.BROKEN, Attempt(7), None),
        (Fault.MALFORMED, Attempt(3, malformed=3), None),
        (Fault.UNREACHABLE, Attempt(8), SourceUnavailable),
        (Fault.UNREACHABLE, Attempt(2, elapsed=45.1), SourceUnavailable),
        (Fault.BROKEN, Attempt(1, elapsed=30, took=30), SourceUnavailable),
        (Fault.BROKEN, Attempt(1, elapsed=20, took=20), None),
        (Fault.MALFORMED, Attempt(4, malformed=4), MalformedAnswer),
        (Fault.MALFORMED, Attempt(8, malformed=1), MalformedAnswer),
        (Fault.UNTRUSTED, Attempt(1), SourceUnavailable),
        (Fault.TOO_LARGE, Attempt(1), MalformedAnswer),
    ],
)
def test_faults_are_repeated_within_the_budget(
    fault: Fault, attempt: Attempt, error: type[SourceError] | None
) -> None:
    decision = after(Outcome("GET /x", fault=fault, detail="the reason"), attempt)
    if error is None:
        assert isinstance(decision, Retry)
    else:
        assert isinstance(decision, Fail)
        assert type(decision.error) is error
        assert "the reason" in decision.error.message
        assert decision.error.hint


@pytest.mark.parametrize("number", [8, 9])
def test_trouble_without_end_fails_as_unavailable(number: int) -> None:
    decision = after(answered(503), Attempt(number))
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, SourceUnavailable)
    assert decision.error.retry_after is None


@given(number=st.integers(1, 1000), jitter=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_below_its_doubling_ceiling(number: int, jitter: float) -> None:
    wait = backoff(Attempt(number, jitter=jitter))
    assert 0 <= wait <= min(20.0, 0.5 * 2 ** (number - 1))


@given(seconds=st.integers(0, 10**6), skew=st.integers(-(10**8), 10**8))
def test_a_retry_date_means_the_same_whatever_either_clock_says(seconds: int, skew: int) -> None:
    server = NOON.timestamp() + skew
    outcome = answered(
        503,
        date=format_datetime(datetime.fromtimestamp(server, UTC), usegmt=True),
        retry_after=format_datetime(datetime.fromtimestamp(server + seconds, UTC), usegmt=True),
    )
    assert retry_after_seconds(outcome) == seconds


@given(st.text())
def test_no_header_breaks_the_decision(value: str) -> None:
    seconds = retry_after_seconds(answered(429, retry_after=value, date=value))
    assert seconds is None or 0 <= seconds <= RETRY_AFTER_MOST


def test_an_attempt_counts_on() -> None:
    first = Attempt(number=0).then(Outcome("GET /x", status=401), took=2.0, jitter=0.1)
    malformed = Outcome("GET /x", fault=Fault.MALFORMED)
    second = first.waited(3.0).then(malformed, took=1.0, jitter=0.2)
    assert (first.number, first.refused, first.fresh_token, first.elapsed) == (1, True, False, 2.0)
    assert (second.number, second.refused, second.fresh_token) == (2, False, True)
    assert (second.malformed, second.elapsed, second.took) == (1, 6.0, 1.0)
