"""What a call sends, what it brings back, and what is tried again with fresh credentials."""

import gzip
import json
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from tests.remotes.loopback import Loopback, Reply
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.network.reach import Reach
from zimun_sync.remotes.auth import Basic, BearerToken, FixedHeaders, NoAuth
from zimun_sync.remotes.calls import Answer, Auth, Caller, Request
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.limits import Limits, Pace

Connect = Callable[..., Caller]

PLENTY = Pace(per_window=1000, window_seconds=1.0)


class Renewable:
    """Credentials that are others each time they were refused."""

    def __init__(self) -> None:
        self.number = 1

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    def refused(self) -> bool:
        self.number += 1
        return True


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def connect(server: Loopback) -> Iterator[Connect]:
    callers: list[Caller] = []

    def connect(auth: Auth | None = None, url: str = "", **more: Any) -> Caller:
        given = {"deadline": 10.0, "reach": Reach.PRIVATE, **more}
        caller = Caller(url or f"{server.url}/api/v1", auth or NoAuth(), Limits(PLENTY), **given)
        callers.append(caller)
        return caller

    yield connect
    for caller in callers:
        caller.close()


# -- what is sent -----------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_described(server: Loopback, connect: Connect) -> None:
    request = Request(
        "PATCH",
        "/contacts/7",
        params={"by": "e mail", "q": "ü"},
        json={"name": "Zoë", "tags": [1, None]},
        headers={"X-Trace": "t"},
    )
    connect(BearerToken("secret\n")).call(request)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PATCH", "/api/v1/contacts/7?by=e+mail&q=%C3%BC")
    assert json.loads(seen.body) == {"name": "Zoë", "tags": [1, None]}
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["authorization"] == "Bearer secret"
    assert seen.headers["user-agent"].startswith("zimun-sync/")
    assert seen.headers["x-trace"] == "t"


def test_a_body_of_bytes_goes_as_it_is(server: Loopback, connect: Connect) -> None:
    calendar = {"content-type": "text/calendar", "ACCEPT": "*/*"}
    connect().call(Request("PUT", "a.ics", content=b"BEGIN:VCALENDAR", headers=calendar))
    (seen,) = server.seen
    assert (seen.path, seen.body) == ("/api/v1/a.ics", b"BEGIN:VCALENDAR")
    assert (seen.headers["content-type"], seen.headers["accept"]) == ("text/calendar", "*/*")


def test_basic_credentials_are_utf_8(server: Loopback, connect: Connect) -> None:
    connect(Basic("zoë", "p:ä")).call(Request("GET", "/"))
    assert server.seen[0].headers["authorization"] == "Basic em/DqzpwOsOk"


@pytest.mark.parametrize(
    ("base", "path", "arrives"),
    [
        ("", "/a", "/a"),
        ("/", "a", "/a"),
        ("/api/", "/a/b?c=d", "/api/a/b?c=d"),
        ("/home/calendar/", "", "/home/calendar/"),
        ("/api", "x%2Fy%20z", "/api/x%2Fy%20z"),
    ],
)
def test_paths_are_below_the_base_address(
    server: Loopback, connect: Connect, base: str, path: str, arrives: str
) -> None:
    connect(url=server.url + base).call(Request("GET", path))
    assert server.seen[0].path == arrives


def test_parameters_join_those_of_the_path(server: Loopback, connect: Connect) -> None:
    connect().call(Request("GET", "/a?page=2", params={"size": "9"}))
    assert server.seen[0].path == "/api/v1/a?page=2&size=9"


def test_an_absolute_address_on_the_same_host_is_called(server: Loopback, connect: Connect) -> None:
    connect().call(Request("GET", f"{server.url}/next?cursor=1"))
    assert server.seen[0].path == "/next?cursor=1"


def test_no_other_host_is_given_the_credentials(server: Loopback, connect: Connect) -> None:
    other = Loopback()
    try:
        with pytest.raises(SinkBroken, match="another host"):
            connect(BearerToken("secret")).call(Request("GET", f"{other.url}/next"))
        assert not other.seen
        assert not server.seen
    finally:
        other.close()


def test_the_base_address_may_be_learned(server: Loopback) -> None:
    caller = Caller(
        lambda: f"{server.url}/org",
        NoAuth(),
        Limits(PLENTY),
        deadline=10.0,
        reach=Reach.PRIVATE,
    )
    caller.call(Request("GET", "/a"))
    caller.close()
    assert server.seen[0].path == "/org/a"


def test_connections_are_kept_and_a_closed_caller_opens_new_ones(
    server: Loopback, connect: Connect
) -> None:
    caller = connect()
    for _ in range(3):
        caller.call(Request("GET", "/"))
    assert len({seen.port for seen in server.seen}) == 1
    caller.close()
    caller.close()
    caller.call(Request("GET", "/"))
    assert len({seen.port for seen in server.seen}) == 2


# -- what comes back --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204, 207])
def test_what_is_good_is_said_to_be(server: Loopback, connect: Connect, status: int) -> None:
    server.answers(Reply(status, b"" if status == 204 else b"{}", {"ETag": '"7"'}))
    answer = connect().call(Request("GET", "/"))
    assert (answer.status, answer.ok, answer.headers["etag"]) == (status, True, '"7"')


@pytest.mark.parametrize("status", [300, 304, 400, 403, 404, 409, 410, 412, 422])
def test_a_refusal_is_the_connectors_to_judge(
    server: Loopback, connect: Connect, status: int
) -> None:
    server.answers(Reply(status, b"" if status == 304 else b'{"why": "so"}'))
    answer = connect().call(Request("POST", "/", json={}))
    assert (answer.status, answer.ok) == (status, False)


def test_redirects_are_not_followed(server: Loopback, connect: Connect) -> None:
    server.answers(Reply(302, b"", {"Location": f"{server.url}/elsewhere"}), Reply())
    answer = connect(BearerToken("secret")).call(Request("GET", "/"))
    assert (answer.status, answer.ok) == (302, False)
    assert len(server.seen) == 1


def test_a_compressed_answer_is_read(server: Loopback, connect: Connect) -> None:
    server.answers(Reply(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}))
    assert connect().call(Request("GET", "/")).json() == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b'{"a": ', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_json_comes_from_something_in_between(body: bytes) -> None:
    answer = Answer(200, {}, body, "GET /a at crm.example")
    with pytest.raises(SinkUnavailable, match=r"GET /a at crm\.example was answered 200"):
        answer.json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "no such\\n field"}', '{"message": "no such\\n field"}'),
        (b"\n <h1>Bad &amp; worse</h1><p>Line\n two", "Bad & worse Line two"),
        (b"<style>p {}</style><script>x < 1</script>Why<!-- secret --> so", "Why so"),
        (b"<script>never ends", ""),
        (b"3 < 4 is refused", "3 < 4 is refused"),
        ("Grün\x00\x1b[1m".encode(), "Grün[1m"),
        (b"\xff", "\ufffd"),
        (b"x" * 600, "x" * 500),
    ],
)
def test_a_remark_is_one_line_for_people(body: bytes, said: str) -> None:
    assert Answer(400, {}, body).remark() == said


def test_markup_is_known_by_its_type_too() -> None:
    answer = Answer(400, {"content-type": "text/html; charset=utf-8"}, b"Oh <b>no</b>")
    assert answer.remark() == "Oh no"


# -- credentials ------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_once_and_the_request_repeated(
    server: Loopback, connect: Connect
) -> None:
    server.answers(Reply(401), Reply(200, b'{"id": 1}'))
    answer = connect(Renewable()).call(Request("POST", "/a", json={"b": 1}))
    assert answer.json() == {"id": 1}
    assert [seen.headers["authorization"] for seen in server.seen] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert [seen.body for seen in server.seen] == [b'{"b":1}'] * 2


def test_a_fresh_token_that_is_refused_too_needs_a_person(
    server: Loopback, connect: Connect
) -> None:
    server.answers(Reply(401))
    with pytest.raises(SinkBroken, match=r"GET /api/v1/a at .* 401") as caught:
        connect(Renewable()).call(Request("GET", "/a"))
    assert caught.value.hint
    assert len(server.seen) == 2


def test_credentials_that_cannot_be_renewed_are_sent_once(
    server: Loopback, connect: Connect
) -> None:
    server.answers(Reply(401))
    with pytest.raises(SinkBroken):
        connect(FixedHeaders({"X-Api-Key": "key"})).call(Request("GET", "/a"))
    assert len(server.seen) == 1


# -- counting ---------------------------------------------------------------------------------


def test_every_attempt_is_counted_before_it_is_sent(server: Loopback, connect: Connect) -> None:
    before: list[int] = []
    caller = connect(Renewable())
    caller.begin(lambda: before.append(len(server.seen)), Event())
    server.answers(Reply(401), Reply(500))
    with pytest.raises(SinkUnavailable):
        caller.call(Request("GET", "/"))
    assert before == [0, 1]


def test_what_the_day_has_no_call_left_for_is_not_sent(server: Loopback, connect: Connect) -> None:
    def used_up() -> None:
        raise NotSent("The day's calls are used up.", retry_after=60.0)

    caller = connect()
    caller.begin(used_up, Event())
    with pytest.raises(NotSent, match="used up"):
        caller.call(Request("GET", "/"))
    assert not server.seen
