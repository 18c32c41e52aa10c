from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import SourceUnavailable
from zimun_sync.network.headers import http_date
from zimun_sync.zimun import Timing
from zimun_sync.zimun.timing import ServerClock

NOW = 1_795_176_000.0


def date_of(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


@pytest.mark.parametrize("value", [None, "", "today", "Fri, 32 Nov 2026 00:00:00 GMT", "\x00"])
def test_what_is_no_date_is_none(value: str | None) -> None:
    assert http_date(value) is None


@given(st.text())
def test_no_text_breaks_reading_a_date(value: str) -> None:
    assert http_date(value) is None or isinstance(http_date(value), float)


def test_without_an_answer_our_clock_stands() -> None:
    clock = ServerClock()
    clock.observe("garbage", sent=NOW, received=NOW)
    assert clock.instant(NOW) == datetime.fromtimestamp(NOW, UTC)


def test_a_clock_that_may_be_right_is_left_alone() -> None:
    clock = ServerClock()
    for moment in (NOW, NOW + 0.7, NOW + 1.99):
        clock.observe(date_of(moment), sent=moment - 0.01, received=moment + 0.01)
    assert clock.correction == 0


@pytest.mark.parametrize("offset", [-600.0, -3.0, 3.0, 600.0])
def test_a_clock_that_is_off_is_corrected_within_a_second(offset: float) -> None:
    clock = ServerClock()
    for step in range(10):
        moment = NOW + step * 1.13
        clock.observe(date_of(moment + offset), sent=moment, received=moment + 0.02)
    assert clock.correction == pytest.approx(offset, abs=1.0)


def test_a_clock_that_was_set_is_followed() -> None:
    clock = ServerClock()
    clock.observe(date_of(NOW), sent=NOW, received=NOW)
    clock.observe(date_of(NOW + 60), sent=NOW, received=NOW)
    assert clock.correction == pytest.approx(60, abs=1.0)


@given(
    offset=st.floats(-1e6, 1e6),
    steps=st.lists(
        st.tuples(st.floats(0.001, 100), st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=30
    ),
)
def test_instants_lie_within_a_second_and_the_way_of_the_servers(
    offset: float, steps: list[tuple[float, float, float]]
) -> None:
    clock, ours = ServerClock(), NOW
    for pause, travel, share in steps:
        sent, received = ours + pause, ours + pause + travel
        clock.observe(date_of(sent + travel * share + offset), sent=sent, received=received)
        assert abs(clock.instant(received).timestamp() - received - offset) <= travel + 1.001
        ours = received


def test_a_stop_ends_a_wait_and_says_so() -> None:
    stop = Event()
    timing = Timing(sleep=lambda _: stop.set(), stop=stop)
    with pytest.raises(SourceUnavailable, match="Stopped"):
        timing.wait(3600)


def test_a_stop_before_a_wait_is_not_waited_out() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(SourceUnavailable):
        Timing(stop=stop).wait(3600)
