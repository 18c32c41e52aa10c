"""Where the server listens, and how it ends."""

import errno
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from time import monotonic

import httpx
import pytest

from tests.web.conftest import PATIENCE_SECONDS, Running, Stage, event, signed, wait_until
from zimun_sync.config.serving import ServerSettings
from zimun_sync.errors import ConfigError
from zimun_sync.events import Event
from zimun_sync.web import Endpoints, WebServer, protocol


def server(**settings: object) -> WebServer:
    def failed(error: BaseException) -> None:
        raise error

    def emit(_event: Event) -> None: ...

    return WebServer(ServerSettings.model_validate(settings), Endpoints(dict, emit), failed)


def test_it_listens_where_it_says(stage: Stage) -> None:
    running = stage.serve(host="127.0.0.1", admin_port=0)
    first, second = running.server.address, running.server.admin_address
    assert first != second
    for address in (first, second):
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(f"{address}/livez").status_code == 200


def test_without_a_second_port_there_is_no_second_address(running: Running) -> None:
    assert running.server.admin_address == ""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_address_of_ipv6() -> None:
    listening = server(host="::1", port=0)
    try:
        listening.start()
    except ConfigError:
        pytest.skip("this machine has no IPv6 loopback")
    assert listening.address.startswith("http://[::1]:")
    assert httpx.get(f"{listening.address}/livez").status_code == 200
    assert listening.stop(monotonic() + PATIENCE_SECONDS)


@pytest.mark.parametrize("part", ["", "admin_"])
def test_a_port_that_is_taken_is_named_and_nothing_is_left_behind(part: str) -> None:
    threads = threading.active_count()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1 port {taken}: Address already") as caught:
            server(**{"port": 0, f"{part}port": taken}).start()
    assert f"`server.{part}port`" in caught.value.hint
    assert threading.active_count() == threads


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_of_this_machine(host: str) -> None:
    with pytest.raises(ConfigError, match=host) as caught:
        server(host=host, port=0).start()
    assert "`server.host`" in caught.value.hint


def test_a_server_that_cannot_run_says_so_and_lets_go_of_its_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_more_files() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("zimun_sync.web.server.uvloop.new_event_loop", no_more_files)
    failures: list[BaseException] = []
    listening = WebServer(ServerSettings(port=0), Endpoints(dict, lambda _: None), failures.append)
    listening.start()
    assert listening.stop(monotonic() + PATIENCE_SECONDS)
    assert [str(each) for each in failures] == ["[Errno 24] Too many open files"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{listening.address}/livez")


def test_ending_answers_what_is_under_way(running: Running) -> None:
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(2) as others:
        waiting = others.submit(running.post, event(), signed(event()))
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        ending = others.submit(running.server.stop, monotonic() + PATIENCE_SECONDS)
        running.inbox.go_on.set()
        assert waiting.result().status_code == 202
        assert ending.result()
    with pytest.raises(httpx.TransportError):
        running.client.get("/livez")


def test_ending_waits_for_no_request_that_is_still_on_its_way(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_SECONDS", 10_000.0)
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(b"POST /webhooks/main HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf")
        assert running.client.get("/livez").status_code == 200  # so that the half has arrived
        assert running.server.stop(monotonic() + PATIENCE_SECONDS)
        assert connection.recv(65536) == b""


def test_more_connections_than_it_holds_are_503(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zimun_sync.web.server._CONNECTIONS", 4)
    running = stage.serve()
    with ExitStack() as stack:
        for _ in range(4):
            other = socket.create_connection(running.address, PATIENCE_SECONDS)
            stack.enter_context(closing(other))
        answer = running.post(event(), signed(event()))
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    wait_until(lambda: running.post(event(), signed(event())).status_code == 202)


def test_what_is_not_done_by_the_deadline_is_503(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.inbox.go_on.clear()
    with ThreadPoolExecutor(1) as others:
        waiting = others.submit(running.post, event(), signed(event()))
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
        assert running.server.stop(monotonic())
        assert waiting.result().status_code == 503
        running.inbox.go_on.set()
    logged = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert logged == ["Cancel 1 running task(s), timeout graceful shutdown exceeded"]


def test_it_logs_nothing_of_requests(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        running.post(event(), signed(event()))
        running.raw(b"nonsense\r\n\r\n")
    assert [each for each in caplog.records if each.name.startswith("uvicorn")] == []
