"""`/livez`, `/readyz`, `/metrics` and `/status`, on one port or two."""

from collections.abc import Iterator
from threading import Event

import httpx
import pytest

from tests.web.conftest import PATIENCE_SECONDS, Running, Stage, event, signed
from zimun_sync.errors import StoreError
from zimun_sync.store import Store


def get(running: Running, path: str) -> tuple[int, object]:
    answer = running.client.get(path)
    return answer.status_code, answer.json()


def test_before_the_state_is_open_it_lives_but_is_not_ready(stage: Stage) -> None:
    running = stage.serve(ready=False)
    assert get(running, "/livez") == (200, {"status": "alive"})
    for path in ("/readyz", "/metrics", "/status"):
        assert get(running, path) == (503, {"status": "starting"})
    answer = running.post(event(), signed(event()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    running.endpoints.intake = running.intake
    assert get(running, "/readyz") == (200, {"status": "ready"})
    assert running.post(event(), signed(event())).status_code == 202


def test_it_lives_until_it_is_stuck(running: Running) -> None:
    running.endpoints.alive = lambda: False
    assert get(running, "/livez") == (503, {"status": "stuck"})


class Probe:
    """Tries the state, and counts how often."""

    def __init__(self) -> None:
        self.tries = 0

    def __call__(self, store: Store) -> None:
        self.tries += 1
        store.add_source(f"probe-{self.tries}-{'x' * 20_000}")


def test_a_commit_that_went_well_is_proof_enough(stage: Stage) -> None:
    probe = Probe()
    running = stage.serve(probe=probe)
    assert running.post(event(), signed(event())).status_code == 202
    assert get(running, "/readyz") == (200, {"status": "ready"})
    assert probe.tries == 0


def test_without_a_commit_the_state_is_tried(stage: Stage) -> None:
    probe = Probe()
    running = stage.serve(probe=probe)
    assert [get(running, "/readyz")[0] for _ in range(3)] == [200, 200, 200]
    assert probe.tries == 1


def test_on_a_full_disk_it_is_not_ready_until_there_is_room_again(stage: Stage) -> None:
    running = stage.serve(probe=Probe())
    assert running.post(event(), signed(event())).status_code == 202
    running.disk.fill()
    long = event() + b" " * 100_000
    assert running.post(long, signed(long, "msg_2")).status_code == 503
    assert get(running, "/readyz") == (503, {"status": "inbox-not-writable"})
    assert get(running, "/livez")[0] == 200
    running.disk.free()
    assert get(running, "/readyz") == (200, {"status": "ready"})


def test_status_and_metrics_are_what_they_are_given(running: Running) -> None:
    running.endpoints.status = lambda: {"sources": {"café": None}}
    running.endpoints.metrics = lambda: b"zimun_sync_up 1\n"
    assert get(running, "/status") == (200, {"sources": {"café": None}})
    answer = running.client.get("/metrics")
    assert (answer.status_code, answer.content) == (200, b"zimun_sync_up 1\n")
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_a_state_that_cannot_be_read_is_told(running: Running) -> None:
    def unreadable() -> bytes:
        raise StoreError("The state is locked.")

    running.endpoints.metrics = unreadable
    expected = {"error": "unavailable", "message": "The state is locked."}
    assert get(running, "/metrics") == (503, expected)


def test_a_status_that_takes_long_holds_nobody_up(running: Running) -> None:
    entered, go_on = Event(), Event()

    def slow() -> dict[str, object]:
        entered.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return {"slow": True}

    running.endpoints.status = slow
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(get, running, "/status")
        assert entered.wait(PATIENCE_SECONDS)
        assert get(running, "/livez")[0] == 200
        assert running.post(event(), signed(event())).status_code == 202
        go_on.set()
        assert waiting.result() == (200, {"slow": True})


@pytest.mark.parametrize("path", ["/livez/", "/webhooks", "/status/x", "/docs"])
def test_nothing_else_is_there(running: Running, path: str) -> None:
    assert get(running, path) == (404, {"error": "not-found", "message": "Not Found."})


def test_they_are_only_read(running: Running) -> None:
    answer = running.client.post("/livez")
    assert (answer.status_code, answer.json()["error"]) == (405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]
    assert running.client.head("/livez").status_code == 200


@pytest.fixture
def admin(stage: Stage) -> Iterator[tuple[Running, httpx.Client]]:
    running = stage.serve(admin_port=0)
    running.endpoints.status = lambda: {"fine": True}
    running.endpoints.metrics = lambda: b"zimun_sync_up 1\n"
    with httpx.Client(base_url=running.server.admin_address) as client:
        yield running, client


def test_with_a_second_port_only_that_one_tells_details(
    admin: tuple[Running, httpx.Client],
) -> None:
    running, second = admin
    paths = ("/livez", "/readyz", "/metrics", "/status")
    assert [running.client.get(path).status_code for path in paths] == [200, 200, 404, 404]
    assert [second.get(path).status_code for path in paths] == [200] * 4
    assert second.get("/status").json() == {"fine": True}


def test_webhooks_are_taken_on_the_first_port_only(admin: tuple[Running, httpx.Client]) -> None:
    running, second = admin
    request = {"content": event(), "headers": signed(event())}
    assert second.post("/webhooks/main", **request).status_code == 404  # type: ignore[arg-type]
    assert running.client.post("/webhooks/main", **request).status_code == 202  # type: ignore[arg-type]
