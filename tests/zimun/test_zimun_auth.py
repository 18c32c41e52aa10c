import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import AuthenticationFailed, MalformedAnswer, SourceUnavailable
from zimun_sync.network.credentials import basic_credentials
from zimun_sync.zimun import ZimunClient
from zimun_sync.zimun.auth import SharedToken, Token

if TYPE_CHECKING:
    from tests.zimun.conftest import FakeApi, FakeTime

MakeClient = Callable[..., ZimunClient]


def page() -> httpx.Response:
    return httpx.Response(200, json={"items": [], "next_page_token": None})


def bearer(request: httpx.Request) -> str:
    return request.headers["authorization"]


@given(
    client_id=st.text(st.characters(codec="utf-8"), min_size=1),
    client_secret=st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_any_id_and_secret_arrive_intact(client_id: str, client_secret: str) -> None:
    scheme, _, pair = basic_credentials(client_id, client_secret).partition(" ")
    arrived = base64.b64decode(pair).decode("ascii").split(":")
    assert (scheme, [unquote_plus(part) for part in arrived]) == (
        "Basic",
        [client_id, client_secret],
    )


def test_credentials_are_encoded_as_rfc_6749_has_it() -> None:
    given = basic_credentials("a:b c", "p%ä+")
    assert base64.b64decode(given.removeprefix("Basic ")) == b"a%3Ab+c:p%25%C3%A4%2B"


def test_the_token_is_asked_for_as_documented(api: "FakeApi", make_client: MakeClient) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": "abc"})

    api.sign_ins[:] = [answer]
    api.answers(page())
    make_client(scopes=("org:read", "appointments:read")).page("staff")
    assert (asked[0].method, str(asked[0].url)) == ("POST", "https://api.zimun.online/oauth/token")
    assert parse_qs(asked[0].content.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["org:read appointments:read"],
    }
    assert bearer(api.requests[0]) == "Bearer abc"


def test_no_scope_is_asked_for_by_default(api: "FakeApi", client: ZimunClient) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, json={"access_token": "abc"})

    api.sign_ins[:] = [answer]
    api.answers(page())
    client.page("staff")
    assert bodies == [b"grant_type=client_credentials"]


def test_one_token_serves_many_calls(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(page())
    for _ in range(5):
        client.page("staff")
    assert api.tokens == 1


@pytest.mark.parametrize(
    ("expires_in", "lasts"), [(100, 89.9), (3600, 3569.9), ("100", 89.9), (5, 4.4)]
)
def test_a_token_is_replaced_shortly_before_it_expires(
    api: "FakeApi", time: "FakeTime", client: ZimunClient, expires_in: float, lasts: float
) -> None:
    api.expires_in = expires_in
    api.answers(page())
    client.page("staff")
    time.now += lasts
    client.page("staff")
    assert api.tokens == 1
    time.now += 0.2
    client.page("staff")
    assert api.tokens == 2
    assert [bearer(request) for request in api.requests] == ["Bearer token-1"] * 2 + [
        "Bearer token-2"
    ]


def test_a_token_of_unknown_life_is_used_until_it_is_refused(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    api.expires_in = None
    api.answers(page(), httpx.Response(401), page())
    client.page("staff")
    time.now += 10**6
    client.page("staff")
    assert api.tokens == 2


def test_an_early_401_costs_one_login_and_one_replay(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(401), page())
    client.page("staff")
    assert [bearer(request) for request in api.requests] == ["Bearer token-1", "Bearer token-2"]


def test_a_fresh_token_refused_is_a_clear_failure(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(401))
    with pytest.raises(AuthenticationFailed, match="GET /staff") as caught:
        client.page("staff")
    assert "active" in caught.value.hint
    assert (len(api.requests), api.tokens) == (2, 2)


def test_tokens_that_expire_during_a_long_call_are_no_failure(
    api: "FakeApi", client: ZimunClient
) -> None:
    busy = httpx.Response(503)
    api.answers(httpx.Response(401), busy, httpx.Response(401), busy, page())
    assert client.page("staff").items == []
    assert api.tokens == 3


@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials_fail_at_once(
    api: "FakeApi", time: "FakeTime", client: ZimunClient, status: int
) -> None:
    refusal = {"error": "invalid_client", "error_description": "no such client: id / secret"}
    api.sign_ins[:] = [httpx.Response(status, json=refusal)]
    with pytest.raises(AuthenticationFailed, match="invalid_client") as caught:
        client.page("staff")
    assert "client_secret" in caught.value.hint
    assert "secret" not in caught.value.message
    assert (api.tokens, api.requests, time.slept) == (1, [], [])


def test_a_scope_that_is_not_granted_is_told_apart(api: "FakeApi", client: ZimunClient) -> None:
    api.sign_ins[:] = [httpx.Response(400, json={"error": "invalid_scope"})]
    with pytest.raises(AuthenticationFailed) as caught:
        client.page("staff")
    assert "scopes" in caught.value.hint


def test_a_missing_token_endpoint_points_to_the_setting(
    api: "FakeApi", client: ZimunClient
) -> None:
    api.sign_ins[:] = [httpx.Response(404)]
    with pytest.raises(AuthenticationFailed) as caught:
        client.page("staff")
    assert "token_url" in caught.value.hint


def test_a_busy_token_endpoint_is_waited_for(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    token = httpx.Response(200, json={"access_token": "abc"})
    busy = httpx.Response(429, headers={"Retry-After": "11"})
    api.sign_ins[:] = [busy, token]
    api.answers(page())
    client.page("staff")
    assert (api.tokens, time.slept) == (2, [11.0])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "two\r\nlines: x"},
        {"access_token": "schlüssel"},
        {"access_token": "abc", "token_type": "mac"},
        {"access_token": "abc", "expires_in": "soon"},
        [],
    ],
)
def test_a_malformed_token_answer_is_no_token(
    api: "FakeApi", client: ZimunClient, body: object
) -> None:
    api.sign_ins[:] = [httpx.Response(200, json=body)]
    with pytest.raises(MalformedAnswer, match="POST /oauth/token"):
        client.page("staff")
    assert api.requests == []


def test_an_answer_that_repeats_the_secret_does_not_reach_the_message(
    api: "FakeApi", make_client: MakeClient
) -> None:
    said = {"error": "invalid_client", "message": "wrong secret 'hunter2!' for ID a.client"}
    api.sign_ins[:] = [httpx.Response(401, json=said)]
    with pytest.raises(AuthenticationFailed) as caught:
        make_client(client_id="a.client", client_secret="hunter2!").page("staff")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


class Fetches:
    """Counts requests for a token; the first waits a moment for a second, which is one too many."""

    def __init__(self, outcome: Callable[[int], Token]) -> None:
        self.outcome = outcome
        self.count = 0
        self._second = threading.Event()

    def __call__(self) -> Token:
        self.count += 1
        if self.count > 1:
            self._second.set()
        self._second.wait(0.05)
        return self.outcome(self.count)


def in_parallel(callers: int, call: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(callers)

    def started_together() -> object:
        barrier.wait()
        try:
            return call()
        except SourceUnavailable as error:
            return error

    with ThreadPoolExecutor(callers) as threads:
        return [f.result() for f in [threads.submit(started_together) for _ in range(callers)]]


def test_fifty_callers_share_one_login() -> None:
    fetches = Fetches(lambda count: Token(f"token-{count}", 100))
    token = SharedToken(fetches, lambda: 0.0)
    assert in_parallel(50, token.get) == ["token-1"] * 50
    assert fetches.count == 1


def test_fifty_refused_callers_share_one_new_login() -> None:
    fetches = Fetches(lambda count: Token(f"token-{count}", 100))
    token = SharedToken(fetches, lambda: 0.0)
    assert token.get() == "token-1"

    def refused() -> str:
        token.discard("token-1")
        return token.get()

    assert in_parallel(50, refused) == ["token-2"] * 50
    assert fetches.count == 2


def test_a_failed_login_is_tried_again_by_those_who_come_later() -> None:
    def first_fails(count: int) -> Token:
        if count == 1:
            raise SourceUnavailable("down")
        return Token("good", 100)

    token = SharedToken(Fetches(first_fails), lambda: 0.0)
    with pytest.raises(SourceUnavailable):
        token.get()
    assert token.get() == "good"


def test_a_failed_login_reaches_all_who_waited_for_it() -> None:
    def fails(count: int) -> Token:
        raise SourceUnavailable(f"down-{count}")

    fetches = Fetches(fails)
    outcomes = in_parallel(10, SharedToken(fetches, lambda: 0.0).get)
    assert all(isinstance(outcome, SourceUnavailable) for outcome in outcomes)
    assert fetches.count < 10
