"""What hooks are called for, and what they send."""

from typing import Any

import pytest

from tests.daemon.conftest import Bench
from zimun_sync.events import (
    Event,
    HookCalled,
    PullFinished,
    PullStarted,
    SinkParked,
    TroubleBegan,
    TroubleEnded,
)
from zimun_sync.templates import FIELDS

STARTED = PullStarted("main", "nightly")
ENDED = {
    status: PullFinished("main", "nightly", status, 1200, 3, 4.5, "")
    for status in ("succeeded", "partial", "failed", "interrupted")
}
TROUBLE = TroubleBegan("sink crm", "It said \"no\"\nand 'never'.", "Ask why.")
RECOVERED = TroubleEnded("sink crm", 61.0004)
EVENTS: dict[str, Event] = {
    "started": STARTED,
    "trouble": TROUBLE,
    "recovered": RECOVERED,
    **{name: event for name, event in ENDED.items() if name != "interrupted"},
}


@pytest.mark.parametrize("word", EVENTS)
def test_each_event_calls_the_hooks_that_want_it_and_no_other(bench: Bench, word: str) -> None:
    hooks = bench.hooks(
        mine={"on": [word]}, others={"on": [each for each in EVENTS if each != word]}
    )
    hooks.listen(EVENTS[word])
    assert bench.work(hooks) is None
    assert [each.json["hook"] for each in bench.receiver.calls] == ["mine"]
    assert bench.told == [HookCalled("mine", word, 1)]


@pytest.mark.parametrize("event", [ENDED["interrupted"], SinkParked("crm", "r", "h")])
def test_what_is_no_occasion_calls_nothing(bench: Bench, event: Event) -> None:
    hooks = bench.hooks(all={"on": list(EVENTS)})
    hooks.listen(event)
    assert hooks.step() is None
    assert bench.receiver.calls == []


def test_a_run_s_call_tells_every_field(bench: Bench) -> None:
    hooks = bench.hooks(bi={"on": ["succeeded"]})
    hooks.listen(ENDED["succeeded"])
    bench.clock.forward(60)
    bench.work(hooks)
    (call,) = bench.receiver.calls
    assert call.method == "POST"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"].startswith("zimun-sync/")
    assert call.json == {
        "event": "succeeded",
        "hook": "bi",
        "time": "2026-11-20T03:00:00+00:00",
        "subject": "source main",
        "source": "main",
        "status": "succeeded",
        "reason": "",
        "hint": "",
        "cause": "nightly",
        "records": 1200,
        "changed": 3,
        "seconds": 4.5,
    }
    assert call.json.keys() == FIELDS.keys()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (TROUBLE, {"status": "trouble", "reason": TROUBLE.reason, "hint": "Ask why."}),
        (RECOVERED, {"status": "ok", "reason": "", "hint": "", "seconds": 61.0}),
    ],
)
def test_a_trouble_s_call_tells_what_is_wrong_and_when_it_is_over(
    bench: Bench, event: Event, told: dict[str, Any]
) -> None:
    hooks = bench.hooks(chat={"on": ["trouble", "recovered"]})
    hooks.listen(event)
    bench.work(hooks)
    told = {"subject": "sink crm", "source": "", "cause": "", "records": None} | told
    assert told.items() <= bench.receiver.calls[0].json.items()


def test_templates_are_filled_and_headers_sent(bench: Bench) -> None:
    hooks = bench.hooks(
        chat={
            "on": ["trouble"],
            "url": f"{bench.receiver.url}/tell/{{subject}}/{{status}}",
            "method": "PUT",
            "headers": {"Authorization": "Bearer s3cret", "content-type": "text/x-note"},
            "body": "{subject}: {reason} ({records})",
        }
    )
    hooks.listen(TroubleBegan("sink crm", "Ü?&/", ""))
    bench.work(hooks)
    (call,) = bench.receiver.calls
    assert (call.method, call.path) == ("PUT", "/tell/sink%20crm/trouble")
    assert call.headers["authorization"] == "Bearer s3cret"
    assert call.headers["content-type"] == "text/x-note"
    assert call.body.decode() == "sink crm: Ü?&/ ()"


def test_a_get_has_no_body_unless_it_is_given_one(bench: Bench) -> None:
    hooks = bench.hooks(
        bare={"on": ["started"], "method": "GET"},
        full={"on": ["started"], "method": "GET", "body": "x"},
    )
    hooks.listen(STARTED)
    bench.work(hooks)
    bare, full = bench.receiver.calls
    assert (bare.body, full.body) == (b"", b"x")
    assert "content-type" not in bare.headers


@pytest.mark.parametrize(
    ("subject", "called"),
    [
        ("source main", True),
        ("source other", False),
        ("inbox main", True),
        ("clock other", False),
        ("deletions main/appointments", True),
        ("deletions other/appointments", False),
        ("sink crm", True),
        ("disk", True),
    ],
)
def test_a_hook_of_some_sources_hears_of_those_and_of_what_concerns_all(
    bench: Bench, subject: str, called: bool
) -> None:
    hooks = bench.hooks(chat={"on": ["trouble"], "sources": ["main"]})
    hooks.listen(TroubleBegan(subject, "r", "h"))
    bench.work(hooks)
    assert bool(bench.receiver.calls) == called


def test_a_hook_of_some_sources_is_not_called_for_runs_of_others(bench: Bench) -> None:
    hooks = bench.hooks(chat={"on": ["started"], "sources": ["main"]})
    hooks.listen(PullStarted("other", "nightly"))
    hooks.listen(STARTED)
    bench.work(hooks)
    assert [each.json["source"] for each in bench.receiver.calls] == ["main"]


def test_a_hook_is_never_called_about_itself(bench: Bench) -> None:
    hooks = bench.hooks(chat={"on": ["trouble"]}, mail={"on": ["trouble"]})
    hooks.listen(TroubleBegan("hook chat", "Its last call was given up.", "h"))
    bench.work(hooks)
    assert [each.json["hook"] for each in bench.receiver.calls] == ["mail"]


def test_a_reason_that_cannot_be_encoded_is_sent_without_its_broken_parts(bench: Bench) -> None:
    hooks = bench.hooks(chat={"on": ["trouble"]})
    hooks.listen(TroubleBegan("disk", "half \ud800 and \0", ""))
    bench.work(hooks)
    assert bench.receiver.calls[0].json["reason"] == "half ? and \0"
