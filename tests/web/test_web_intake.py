"""Group commit: many requests share a commit, and none is acknowledged without one."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from tests.web.conftest import (
    PATIENCE_SECONDS,
    SECRET,
    Running,
    Stage,
    event,
    signed,
    source,
    wait_until,
)
from zimun_sync.errors import StoreError
from zimun_sync.events import EventsReceived, StateUnavailable, WebhookRefused
from zimun_sync.store import Received
from zimun_sync.web import Intake

CLIENTS = 50


def post(running: Running, number: int, path: str = "/webhooks/main") -> int:
    headers = signed(event(number), f"msg_{number}")
    return running.post(event(number), headers, path).status_code


def test_clients_that_wait_together_share_a_commit(running: Running) -> None:
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(CLIENTS) as clients:
        first = clients.submit(post, running, 0)
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        others = [clients.submit(post, running, number) for number in range(1, CLIENTS)]
        wait_until(lambda: running.intake.waiting == CLIENTS - 1)
        assert not first.done()
        running.inbox.go_on.set()
        assert {each.result() for each in [first, *others]} == {202}
    assert running.inbox.commits == [1, CLIENTS - 1]
    assert len(running.stored()) == CLIENTS


def test_each_source_is_told_of_once_a_commit(stage: Stage) -> None:
    running = stage.serve(sources={"main": source(), "second": source()})
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(20) as clients:
        first = clients.submit(post, running, 0)
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        others = [
            clients.submit(post, running, number // 2, f"/webhooks/{name}")
            for number in range(8)
            for name in ("main", "second")
        ]
        wait_until(lambda: running.intake.waiting == 16)
        running.inbox.go_on.set()
        assert {each.result() for each in [first, *others]} == {202}
    assert running.told[0] == EventsReceived("main", received=1, duplicates=0)
    assert sorted(running.told[1:], key=str) == [
        EventsReceived("main", received=3, duplicates=5),
        EventsReceived("second", received=4, duplicates=4),
    ]


def test_a_full_disk_is_503_until_there_is_room_again(running: Running) -> None:
    long = event() + b" " * 100_000
    running.disk.fill()
    answer = running.post(long, signed(long))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json() == {
        "error": "unavailable",
        "message": "The event was not stored; send it again.",
    }
    assert running.stored() == []
    told = {type(each): each for each in running.told}
    assert told.keys() == {StateUnavailable, WebhookRefused}
    (refusal,) = running.refusals()
    assert refusal.status == 503
    assert "disk is full" in refusal.reason
    running.disk.free()
    assert running.post(long, signed(long)).status_code == 202
    assert running.stored() == [("msg_1", long)]


def test_all_who_share_a_commit_that_fails_are_told_so(running: Running) -> None:
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(CLIENTS) as clients:
        first = clients.submit(post, running, 0)
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        long = event() + b" " * 10_000
        others = [
            clients.submit(running.post, long, signed(long, f"msg_{number}"))
            for number in range(1, CLIENTS)
        ]
        wait_until(lambda: running.intake.waiting == CLIENTS - 1)
        running.disk.fill()
        running.inbox.go_on.set()
        assert {each.result().status_code for each in others} == {503}
        stored = {"msg_0"} if first.result() == 202 else set()
    assert {name for name, _ in running.stored()} == stored


def test_when_too_many_wait_one_more_is_503(stage: Stage) -> None:
    running = stage.serve(room=3)
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(4) as clients:
        taken = [clients.submit(post, running, 0)]
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        taken += [clients.submit(post, running, number) for number in range(1, 4)]
        wait_until(lambda: running.intake.waiting == 3)
        assert post(running, 9) == 503
        running.inbox.go_on.set()
        assert [each.result() for each in taken] == [202] * 4
    assert "3 events wait" in running.refusals()[0].reason
    assert {name for name, _ in running.stored()} == {f"msg_{number}" for number in range(4)}


def test_stopping_commits_what_was_taken_in_and_takes_no_more(running: Running) -> None:
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(6) as clients:
        taken = [clients.submit(post, running, 0)]
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        taken += [clients.submit(post, running, number) for number in range(1, 5)]
        wait_until(lambda: running.intake.waiting == 4)
        assert not running.intake.stop(monotonic())
        assert post(running, 9) == 503
        running.inbox.go_on.set()
        assert {each.result() for each in taken} == {202}
    assert running.intake.stop(monotonic() + PATIENCE_SECONDS)
    assert len(running.stored()) == 5
    assert running.client.get("/readyz").status_code == 503


class Broken:
    """An inbox with a bug."""

    def __init__(self) -> None:
        self.asked = 0

    def add(self, _events: Sequence[Received]) -> int:
        self.asked += 1
        raise ZeroDivisionError


def test_what_should_never_happen_is_told_and_leaves_nobody_waiting() -> None:
    failures: list[BaseException] = []
    inbox = Broken()
    intake = Intake(inbox, lambda: None, lambda _: None, failures.append)
    intake.start()
    events = [Received("main", f"msg_{number}", 0, b"") for number in range(5)]

    async def send() -> list[BaseException | None]:
        return await asyncio.gather(*map(intake.take, events), return_exceptions=True)

    assert [type(each) for each in asyncio.run(send())] == [StoreError] * 5
    assert intake.stop(monotonic() + PATIENCE_SECONDS)
    assert [type(each) for each in failures] == [ZeroDivisionError]
    assert inbox.asked == 1
    assert not intake.is_writable()
    with pytest.raises(StoreError, match="ending"):
        asyncio.run(intake.take(events[0]))


def test_an_intake_that_never_began_ends_too() -> None:
    intake = Intake(Broken(), lambda: None, lambda _: None, lambda _: None)
    assert intake.stop(monotonic())


def test_the_secret_is_in_no_event(running: Running) -> None:
    for number in range(3):
        post(running, number)
    running.post(b"x", signed(b"y"))
    assert running.told
    assert SECRET not in repr(running.told)
    assert "ada@example.com" not in repr(running.told)
