"""Failures of hooks: tried again, in order, across restarts, and given up; secrets stay secret."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.daemon.conftest import Bench, Play, drips, hangs_up
from zimun_sync.errors import StoreError
from zimun_sync.events import PullFinished, PullStarted, TroubleBegan, TroubleEnded
from zimun_sync.store import Store

STARTED = PullStarted("main", "nightly")
SUCCEEDED = PullFinished("main", "nightly", "succeeded", 1, 1, 1.0, "")
HOOK = {"on": ["started", "succeeded", "trouble", "recovered"]}


def events(bench: Bench) -> list[str]:
    return [each.json["event"] for each in bench.receiver.calls]


def test_a_failing_call_is_tried_again_ever_later_and_given_up(bench: Bench) -> None:
    bench.receiver.answers = [500]
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(SUCCEEDED)
    waits = []
    while (wait := bench.work(hooks)) is not None:
        waits.append(wait)
        calls = len(bench.receiver.calls)
        bench.clock.forward(wait - 0.001)
        bench.work(hooks)
        assert len(bench.receiver.calls) == calls
        bench.clock.forward(0.001)
    assert waits == [10, 60, 300, 900, 3600]
    assert len(bench.receiver.calls) == 6
    assert [each.wait for each in bench.failed] == [*waits, None]
    assert [each.attempts for each in bench.failed] == [1, 2, 3, 4, 5, 6]
    assert {each.error for each in bench.failed} == {"127.0.0.1 answered 500."}
    (given_up,) = bench.store.overview.given_up(86_400)
    assert (given_up.hook, given_up.error) == ("bi", "127.0.0.1 answered 500.")


def test_chance_only_lengthens_a_wait_by_a_little(bench: Bench) -> None:
    bench.receiver.answers = [500]
    waits = []
    for chance in (0.0, 0.5, 1.0):
        bench.chance = chance
        hooks = bench.hooks(bi=HOOK)
        hooks.listen(TroubleBegan(f"sink s{chance}", "r", "h"))
        bench.work(hooks)
        waits.append(bench.failed[-1].wait)
    assert all(one < two for one, two in pairwise([wait or 0 for wait in waits]))
    assert waits[0] == 10
    assert waits[-1] == pytest.approx(12)


def test_a_call_that_is_answered_at_last_is_over(bench: Bench) -> None:
    bench.receiver.answers = [503, 204]
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(SUCCEEDED)
    assert bench.work(hooks) == 10
    bench.clock.forward(10)
    assert bench.work(hooks) is None
    assert [each.attempts for each in bench.called] == [2]
    assert bench.store.overview.given_up(86_400) == []


def test_a_start_that_nobody_heard_of_is_told_once_more_only(bench: Bench) -> None:
    bench.receiver.answers = [500]
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(STARTED)
    assert bench.work(hooks) == 10
    bench.clock.forward(10)
    assert bench.work(hooks) is None
    assert [each.wait for each in bench.failed] == [10, None]


def test_no_call_overtakes_an_earlier_one_about_the_same_subject(bench: Bench) -> None:
    bench.receiver.answers = [500, 500, 200]
    hooks = bench.hooks(chat=HOOK)
    hooks.listen(TroubleBegan("disk", "r", "h"))
    bench.work(hooks)
    hooks.listen(TroubleEnded("disk", 5.0))
    hooks.listen(TroubleBegan("sink crm", "r", "h"))
    assert bench.work(hooks) == 10
    assert [each.json["subject"] for each in bench.receiver.calls] == ["disk", "sink crm"]
    bench.clock.forward(10)
    bench.work(hooks)
    told = [(each.json["subject"], each.json["event"]) for each in bench.receiver.calls[2:]]
    assert told == [("disk", "trouble"), ("disk", "recovered"), ("sink crm", "trouble")]


def test_a_receiver_that_is_gone_for_days_is_then_told_how_things_stand(bench: Bench) -> None:
    bench.receiver.answers = [500]
    hooks = bench.hooks(heart=HOOK)
    for run in range(24):
        hooks.listen(PullStarted("main", "nightly"))
        hooks.listen(PullFinished("main", "nightly", "succeeded", run, 0, 1.0, ""))
        bench.work(hooks)
        bench.clock.forward(900)
        assert len(bench.store.hook_calls.waiting()) <= 4  # of each event one tried, one waiting
    bench.receiver.answers = [200]
    calls = len(bench.receiver.calls)
    while (wait := bench.work(hooks)) is not None:
        bench.clock.forward(wait)
    told = [(each.json["event"], each.json["records"]) for each in bench.receiver.calls[calls:]]
    assert told[-2:] == [("started", None), ("succeeded", 23)]
    assert len(told) <= 4


def test_a_failing_hook_does_not_hold_up_another(bench: Bench) -> None:
    bench.receiver.answers = [500, 200]
    hooks = bench.hooks(bad=HOOK, good=HOOK)
    hooks.listen(SUCCEEDED)
    bench.work(hooks)
    assert [each.hook for each in bench.called] == ["good"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (302, "127.0.0.1 answered 302: redirects are not followed."),
        (404, "127.0.0.1 answered 404."),
        (drips, "127.0.0.1 did not answer within 0.3 seconds."),
        (hangs_up, "The connection to 127.0.0.1 broke."),
    ],
)
def test_an_error_names_the_failure_and_the_host_only(
    bench: Bench, answer: int | Play, error: str
) -> None:
    bench.receiver.answers = [answer]
    url = f"{bench.receiver.url}/s3cret-path"
    headers = {"Authorization": "s3cret-token"}
    hooks = bench.hooks(
        bi=HOOK | {"url": url, "headers": headers, "body": "s3cret-body", "timeout": 0.3}
    )
    hooks.listen(SUCCEEDED)
    bench.work(hooks)
    assert [each.error for each in bench.failed] == [error]
    assert len(bench.receiver.calls) == 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"url": "http://127.0.0.1:1/s3cret"}, "127.0.0.1 could not be reached."),
        ({"url": "http://nowhere.invalid/s3cret"}, "nowhere.invalid could not be reached."),
        ({"headers": {"X-Key": "s3cret\nX: y"}}, "address or a header for 127.0.0.1"),
        ({"url": "http://127.0.0.1:x/s3cret"}, "address or a header for 127.0.0.1"),
    ],
)
def test_a_call_that_never_arrives_fails_like_any_other(
    bench: Bench, given: dict[str, object], error: str
) -> None:
    hooks = bench.hooks(bi=HOOK | given)
    hooks.listen(SUCCEEDED)
    assert bench.work(hooks) == 10
    (failed,) = bench.failed
    assert error in failed.error
    assert "s3cret" not in failed.error
    assert bench.receiver.calls == []


def test_pending_calls_go_on_after_a_restart(bench: Bench) -> None:
    bench.receiver.answers = [500, 200]
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(STARTED)
    bench.work(hooks)
    hooks.listen(SUCCEEDED)
    again = bench.hooks(bi=HOOK)
    assert bench.work(again) == 10
    bench.clock.forward(10)
    assert bench.work(again) is None
    assert events(bench) == ["started", "started", "succeeded"]
    assert [each.attempts for each in bench.called] == [2, 1]


def test_calls_of_a_hook_that_is_gone_are_dropped(bench: Bench) -> None:
    hooks = bench.hooks(old=HOOK, kept=HOOK)
    hooks.listen(SUCCEEDED)
    assert bench.work(bench.hooks(kept=HOOK)) is None
    assert [each.json["hook"] for each in bench.receiver.calls] == ["kept"]
    assert bench.work(bench.hooks(old=HOOK)) is None
    assert len(bench.receiver.calls) == 1
    assert bench.store.overview.given_up(86_400) == []


def test_events_that_come_while_the_state_cannot_be_written_are_entered_later(
    tmp_path: Path, bench: Bench
) -> None:
    with Store.open("sqlite:///state.db", tmp_path, bench.clock, busy_seconds=0.01) as store:
        bench.store = store
        hooks = bench.hooks(bi=HOOK)
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            hooks.listen(STARTED)
            hooks.listen(SUCCEEDED)
            with pytest.raises(StoreError):
                hooks.step()
            other.execute("ROLLBACK")
        bench.clock.forward(60)
        assert hooks.step() == 0  # from now on both are in the state
        assert bench.work(bench.hooks(bi=HOOK)) is None
    assert events(bench) == ["started", "succeeded"]
    assert bench.receiver.calls[0].json["time"] == "2026-11-20T03:00:00+00:00"
