"""Waiting and repeating, seen from outside: what was sent, when, and what came of it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from zimun_sync.errors import MalformedAnswer, RequestRefused, SourceUnavailable
from zimun_sync.zimun import Timing, Waiting, ZimunClient

if TYPE_CHECKING:
    from tests.zimun.conftest import FakeApi, FakeTime

MakeClient = Callable[..., ZimunClient]

BUSY = httpx.Response(503)


def page(*items: object) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "next_page_token": None})


def asked_to_wait(seconds: str, status: int = 429) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": seconds})


def test_backoff_doubles_with_jitter_until_the_answer_comes(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    api.answers(BUSY, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), BUSY, page(1))
    assert len(client.page("staff").items) == 1
    assert time.slept == [0.25, 0.5, 1.0, 2.0]


def test_the_observer_hears_of_each_wait_and_why(
    api: "FakeApi", client: ZimunClient, waits: list[Waiting]
) -> None:
    api.answers(asked_to_wait("30"), httpx.ReadError("reset by peer"), page())
    client.page("staff")
    assert waits == [
        Waiting("GET /staff", "HTTP 429", 30.0, 1),
        Waiting("GET /staff at api.zimun.online", "reset by peer", 0.5, 2),
    ]


def test_waits_that_the_server_orders_use_up_no_time_of_ours(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    api.answers(*[asked_to_wait("100")] * 6, BUSY, page(1))
    assert len(client.page("staff").items) == 1
    assert time.slept[:6] == [100.0] * 6


def test_an_unreachable_host_ends_in_one_clear_message_within_a_minute(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    time.jitter = 0.999
    began = time.now
    api.answers(httpx.ConnectError("[Errno -2] Name or service not known"))
    with pytest.raises(SourceUnavailable, match=r"api\.zimun\.online.*Name or service") as caught:
        client.page("staff")
    assert "base_url" in caught.value.hint
    assert time.now - began < 60


def test_a_host_that_never_accepts_is_told_from_a_silent_one(
    api: "FakeApi", client: ZimunClient
) -> None:
    api.answers(httpx.ConnectTimeout("timed out"))
    with pytest.raises(SourceUnavailable, match="no connection within connect_timeout, 10 sec"):
        client.page("staff")


def test_a_certificate_that_proves_nothing_fails_at_once(
    api: "FakeApi", client: ZimunClient
) -> None:
    error = httpx.ConnectError("certificate verify failed: self-signed certificate")
    error.__cause__ = ssl.SSLCertVerificationError()
    api.answers(error)
    with pytest.raises(SourceUnavailable, match="certificate verify failed") as caught:
        client.page("staff")
    assert "SSL_CERT_FILE" in caught.value.hint
    assert len(api.requests) == 1


def test_a_silent_host_ends_within_a_minute(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    def silence(request: httpx.Request) -> httpx.Response:
        time.now += 20
        raise httpx.ReadTimeout("timed out")

    began = time.now
    api.answers(silence)
    with pytest.raises(SourceUnavailable, match="read_timeout, 20 seconds"):
        client.page("staff")
    assert len(api.requests) == 2
    assert time.now - began < 60


def test_a_long_retry_after_ends_the_call_and_silences_all_others(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    api.answers(asked_to_wait("3600"), page())
    with pytest.raises(SourceUnavailable) as first:
        client.page("staff")
    time.now += 600
    with pytest.raises(SourceUnavailable) as second:
        client.page("services")
    assert (first.value.retry_after, second.value.retry_after) == (3600.0, 3000.0)
    assert len(api.requests) == 1
    time.now += 3000
    assert client.page("services").items == []


def test_what_one_thread_is_told_every_thread_obeys(
    api: "FakeApi", time: "FakeTime", make_client: MakeClient
) -> None:
    """While one call waits out its Retry-After, another must not slip a request in."""
    client = make_client()
    other: list[threading.Thread] = []
    sleep = time.sleep

    def sleep_while_another_calls(seconds: float) -> None:
        if not other:
            other.append(threading.Thread(target=client.page, args=("services",)))
            other[0].start()
        sleep(seconds)

    timing = Timing(
        lambda: time.now, lambda: time.now, lambda: 0.5, sleep=sleep_while_another_calls
    )
    client = ZimunClient(client.settings, transport=httpx.MockTransport(api), timing=timing)
    began = time.now
    api.answers(asked_to_wait("60"), page())
    client.page("staff")
    other[0].join()
    assert len(api.requests) == 3
    assert all(moment >= began + 60 for moment in api.times[1:])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"items": []}),
        httpx.Response(200, json={"items": {}, "next_page_token": None}),
        httpx.Response(200, json={"items": None, "next_page_token": None}),
        httpx.Response(200, json={"items": [], "next_page_token": 7}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b'{"items": [{"a": 1}, {"a"'),
        httpx.Response(200, content=b""),
        httpx.Response(204),
        httpx.Response(200, html="<h1>Sign in</h1>"),
        httpx.Response(200, content=b'{"items": [], "next_page_token": "\xff"}'),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(
            200,
            content=b'{"next_page_token": null, "items": [' + b'{"a":' * 100_000,
        ),
        httpx.Response(200, content=b"{}", headers={"Content-Encoding": "br"}),
        httpx.Response(
            200, stream=httpx.ByteStream(b"no gzip"), headers={"Content-Encoding": "gzip"}
        ),
    ],
)
def test_a_malformed_answer_is_asked_for_again_and_then_fails(
    api: "FakeApi", client: ZimunClient, answer: httpx.Response
) -> None:
    api.answers(answer)
    with pytest.raises(MalformedAnswer, match="GET /appointments") as caught:
        client.page("appointments")
    assert len(api.requests) == 4
    assert caught.value.hint


def test_a_malformed_answer_that_heals_costs_nothing_else(
    api: "FakeApi", client: ZimunClient
) -> None:
    api.answers(httpx.Response(200, json={"items": [1]}), page(1, 2))
    assert len(client.page("appointments").items) == 2


def test_an_answer_that_is_html_says_so(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(200, html="<h1>Sign in</h1>"))
    with pytest.raises(MalformedAnswer, match="text/html, not JSON") as caught:
        client.page("appointments")
    assert "login page" in caught.value.hint


def test_an_answer_beyond_the_limit_is_not_asked_for_again(
    api: "FakeApi", make_client: MakeClient
) -> None:
    api.answers(page("x" * 10_000))
    with pytest.raises(MalformedAnswer, match="max_response_bytes") as caught:
        make_client(max_response_bytes=9_000).page("appointments")
    assert "page_size" in caught.value.hint
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(api: "FakeApi", client: ZimunClient, status: int) -> None:
    api.answers(httpx.Response(status, headers={"Location": "https://evil.example/steal"}))
    with pytest.raises(RequestRefused, match="redirects are never followed") as caught:
        client.page("appointments")
    assert caught.value.status == status
    assert [request.url.host for request in api.requests] == ["api.zimun.online"]


def test_an_error_with_a_broken_body_still_counts_as_that_error(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    damaged = httpx.Response(
        429,
        stream=httpx.ByteStream(b"no gzip"),
        headers={"Content-Encoding": "gzip", "Retry-After": "3"},
    )
    api.answers(damaged, page())
    client.page("staff")
    assert time.slept == [3.0]


def test_a_stop_ends_the_wait(api: "FakeApi", time: "FakeTime", client: ZimunClient) -> None:
    stop = threading.Event()
    timing = Timing(
        lambda: time.now, lambda: time.now, lambda: 0.5, sleep=lambda _: stop.set(), stop=stop
    )
    stopping = ZimunClient(client.settings, transport=httpx.MockTransport(api), timing=timing)
    api.answers(asked_to_wait("100"), page())
    with pytest.raises(SourceUnavailable, match="Stopped"):
        stopping.page("staff")
    assert len(api.requests) == 1


class Stream(httpx.SyncByteStream):
    """A body that a test feeds."""

    def __init__(self, parts: Callable[[], Iterator[bytes]]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts()


def test_a_connection_lost_within_a_body_is_made_again(api: "FakeApi", client: ZimunClient) -> None:
    def lost() -> Iterator[bytes]:
        yield b'{"items": ['
        raise httpx.ReadError("reset by peer")

    api.answers(httpx.Response(200, stream=Stream(lost)), page(1))
    assert len(client.page("staff").items) == 1


def test_a_body_that_drips_past_the_deadline_is_given_up(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    def dripping() -> Iterator[bytes]:
        while True:
            time.now += 19
            yield b" "

    api.answers(lambda _: httpx.Response(200, stream=Stream(dripping)))
    began = time.now
    with pytest.raises(SourceUnavailable, match="request_deadline, 60 seconds"):
        client.page("staff")
    assert time.now - began < 80
