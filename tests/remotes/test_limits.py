"""Limits of an account in virtual time: what is waited for, what is put off, what is learned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.limits import LONGEST_WAIT, Budget, Limits, Pace, limits_for

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class VirtualTime:
    """Time that passes only when someone waits; also the stop that such a wait looks at."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    stopped: bool = False

    def wait(self, seconds: float, /) -> bool:
        if not self.stopped:
            self.waits.append(seconds)
            self.now += seconds
        return self.stopped


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


def limits_in(time: VirtualTime, per_window: int = 3, seconds: float = 10.0, **more: Any) -> Limits:
    return Limits(
        Pace(per_window, seconds, **more),
        monotonic=lambda: time.now,
        clock=lambda: NOON + time.now,
    )


def told(headers: Mapping[str, str]) -> Budget:
    """What a CRM like HubSpot tells."""
    given = {name: int(value) for name, value in headers.items()}
    interval = given.get("interval")
    return Budget(
        remaining=given.get("remaining"),
        resets_in=None if interval is None else interval / 1000,
        daily_remaining=given.get("daily-remaining"),
        daily_limit=given.get("daily"),
        daily_resets_in=given.get("daily-resets-in"),
    )


def calls(limits: Limits, time: VirtualTime, number: int, group: str = "") -> list[float]:
    """Makes calls, one after the other; tells when."""
    made = []
    for _ in range(number):
        limits.enter(group, time)
        made.append(time.now)
    return made


# -- what is configured -----------------------------------------------------------------------


def test_calls_beyond_the_window_wait_for_the_oldest_to_leave_it(time: VirtualTime) -> None:
    limits = limits_in(time)
    assert calls(limits, time, 1) == [0.0]
    time.now = 4.0
    assert calls(limits, time, 6) == [4.0, 4.0, 10.0, 14.0, 14.0, 20.0]


def test_a_group_has_a_limit_of_its_own_and_counts_against_that_of_all(time: VirtualTime) -> None:
    limits = limits_in(time, 4, groups={"search": (2, 1.0)})
    assert calls(limits, time, 3, "search") == [0.0, 0.0, 1.0]
    assert calls(limits, time, 1) == [1.0]
    assert calls(limits, time, 1, "search") == [10.0]


def test_an_unknown_group_is_none(time: VirtualTime) -> None:
    limits = limits_in(time, 2, groups={"search": (1, 1.0)})
    assert calls(limits, time, 2, "export") == [0.0, 0.0]


@given(
    most=st.integers(1, 5),
    seconds=st.floats(0.1, LONGEST_WAIT),
    pauses=st.lists(st.floats(0, 20), max_size=40),
)
def test_no_window_ever_holds_more_than_its_limit(
    most: int, seconds: float, pauses: list[float]
) -> None:
    time = VirtualTime(now=1e6)
    limits = limits_in(time, most, seconds)
    made = []
    for pause in pauses:
        time.now += pause
        made += calls(limits, time, 1)
    spans = [later - earlier for earlier, later in zip(made, made[most:], strict=False)]
    assert all(span >= seconds * (1 - 1e-6) for span in spans)


def test_a_wait_that_is_long_is_left_to_the_engine(time: VirtualTime) -> None:
    limits = limits_in(time, 1, 60.0)
    calls(limits, time, 1)
    time.now = 5.0
    with pytest.raises(NotSent, match="1 calls in 60 s") as caught:
        calls(limits, time, 1)
    assert caught.value.retry_after == 55.0
    assert not time.waits


def test_short_waits_do_not_add_up_to_a_long_one(time: VirtualTime) -> None:
    limits = limits_in(time, 1, 8.0)
    calls(limits, time, 1)

    class Overtaken(VirtualTime):
        """Someone else of the account takes the turn that was waited for."""

        def wait(self, seconds: float, /) -> bool:
            time.wait(seconds)
            calls(limits, time, 1)
            return False

    with pytest.raises(NotSent):
        limits.enter("", Overtaken())


def test_a_stop_ends_the_wait_and_no_call_is_counted(time: VirtualTime) -> None:
    limits = limits_in(time, 1)
    calls(limits, time, 1)
    time.stopped = True
    with pytest.raises(NotSent, match="Stopped"):
        calls(limits, time, 1)
    time.stopped, time.now = False, 10.0
    assert calls(limits, time, 1) == [10.0]


def test_threads_share_what_there_is() -> None:
    time = VirtualTime()
    limits = limits_in(time, 50, 60.0)
    made: list[int] = []

    def work() -> None:
        for _ in range(20):
            try:
                limits.enter("", time)
            except SinkUnavailable:
                return
            made.append(1)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 50


# -- what the server says ---------------------------------------------------------------------


def test_silence_holds_everyone_until_it_ran_out(time: VirtualTime) -> None:
    limits = limits_in(time)
    limits.hold(100.0)
    limits.hold(5.0)
    with pytest.raises(NotSent, match="silence") as caught:
        calls(limits, time, 1)
    assert caught.value.retry_after == 100.0
    time.now = 90.0
    assert calls(limits, time, 1) == [100.0]


def test_a_429_without_a_time_means_that_the_window_is_full(time: VirtualTime) -> None:
    limits = limits_in(time)
    limits.exhausted()
    assert calls(limits, time, 1) == [10.0]


def test_what_others_used_up_is_waited_for(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told)
    limits.learn({"remaining": "2", "interval": "7000"})
    assert calls(limits, time, 3) == [0.0, 0.0, 7.0]


def test_a_server_that_tells_no_end_is_given_our_window(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told)
    limits.learn({"remaining": "0"})
    assert calls(limits, time, 1) == [10.0]


def test_each_answer_corrects_what_the_one_before_said(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told)
    limits.learn({"remaining": "0"})
    limits.learn({})
    limits.learn({"remaining": "1"})
    assert calls(limits, time, 1) == [0.0]


# -- the day ----------------------------------------------------------------------------------


def test_the_reserve_of_the_day_is_left_to_others_until_midnight(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told, daily_reserve=500)
    limits.learn({"daily-remaining": "501", "daily": "250000"})
    calls(limits, time, 1)
    limits.learn({"daily-remaining": "500", "daily": "250000"})
    time.now = HOUR
    with pytest.raises(NotSent, match="500 of 250000 calls") as caught:
        calls(limits, time, 1)
    assert caught.value.retry_after == 11 * HOUR
    time.now = 12 * HOUR
    assert calls(limits, time, 1) == [12 * HOUR]


def test_a_used_up_day_ends_when_the_server_says(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told)
    limits.learn({"daily-remaining": "0", "daily-resets-in": "3600"})
    with pytest.raises(NotSent) as caught:
        calls(limits, time, 1)
    assert caught.value.retry_after == HOUR
    time.now = HOUR
    calls(limits, time, 1)


def test_another_answer_may_say_that_the_day_is_not_over(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told, daily_reserve=5)
    limits.learn({"daily-remaining": "5"})
    limits.learn({"daily-remaining": "999"})
    calls(limits, time, 1)


def test_a_smaller_reserve_is_tried_at_once(time: VirtualTime) -> None:
    limits = limits_in(time, 100, observe=told, daily_reserve=500)
    limits.learn({"daily-remaining": "400"})
    limits.configure(Pace(100, 10.0, observe=told, daily_reserve=100))
    calls(limits, time, 1)


# -- accounts ---------------------------------------------------------------------------------


def test_sinks_of_one_account_share_its_limits() -> None:
    first = limits_for("crm one", per_window=1, window_seconds=60.0)
    first.enter("", VirtualTime())
    again = limits_for("crm one", per_window=1, window_seconds=60.0)
    with pytest.raises(NotSent):
        again.enter("", VirtualTime())
    limits_for("crm two", per_window=1, window_seconds=60.0).enter("", VirtualTime())


def test_the_latest_settings_count_and_calls_are_not_forgotten() -> None:
    limits_for("crm three", per_window=1, window_seconds=60.0).enter("", VirtualTime())
    wider = limits_for("crm three", per_window=2, window_seconds=60.0)
    wider.enter("", VirtualTime())
    with pytest.raises(NotSent):
        wider.enter("", VirtualTime())
