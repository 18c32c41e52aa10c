"""Access tokens: how each grant asks for one, how long it is used, what a refusal means."""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.remotes.loopback import Loopback, Reply, Seen, silent, unused_address
from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable
from zimun_sync.network.reach import Reach
from zimun_sync.remotes.auth import ClientCredentials, JwtBearer, RefreshToken, TokenEndpoint
from zimun_sync.remotes.auth_tokens import TokenAuth
from zimun_sync.remotes.calls import Caller, Request
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.limits import Limits, Pace

NOW = 1_795_176_000.0
PLENTY = Pace(per_window=1000, window_seconds=1.0)
SECRET = "s3cret+&ü"


@dataclass
class Clock:
    now: float = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def endpoint(server: Loopback, clock: Clock) -> Callable[..., TokenEndpoint]:
    def endpoint(**more: Any) -> TokenEndpoint:
        given = {
            "url": f"{server.url}/oauth/token",
            "deadline": 10.0,
            "reach": Reach.PRIVATE,
            **more,
        }
        return TokenEndpoint(**given, monotonic=lambda: clock.now, clock=lambda: NOW + clock.now)

    return endpoint


Endpoint = Callable[..., TokenEndpoint]


def granted(token: str = "token", **more: Any) -> Reply:
    return Reply(200, json.dumps({"access_token": token, **more}).encode())


def form(seen: Seen) -> dict[str, str]:
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (seen.method, seen.path) == ("POST", "/oauth/token")
    return {name: value for name, (value,) in parse_qs(seen.body.decode()).items()}


def sent(auth: TokenAuth) -> str:
    return auth.headers()["Authorization"]


# -- grants -----------------------------------------------------------------------------------


def test_a_client_signs_in_by_header(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(granted("t1"))
    auth = ClientCredentials(endpoint(), "id:1", SECRET, extra={"scope": "a b"})
    assert sent(auth) == "Bearer t1"
    assert form(server.seen[0]) == {"grant_type": "client_credentials", "scope": "a b"}
    scheme, _, pair = server.seen[0].headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair) == b"id%3A1:s3cret%2B%26%C3%BC"


def test_a_client_signs_in_by_form(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(granted())
    sent(ClientCredentials(endpoint(), "id", SECRET, style="post"))
    assert form(server.seen[0]) == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": SECRET,
    }
    assert "authorization" not in server.seen[0].headers


def test_a_refresh_token_fetches_tokens(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(granted("t1"))
    assert sent(RefreshToken(endpoint(), "id", SECRET, "r1")) == "Bearer t1"
    assert form(server.seen[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "r1",
        "client_id": "id",
        "client_secret": SECRET,
    }


def test_a_refresh_token_that_is_replaced_is_not_used_again(
    server: Loopback, endpoint: Endpoint
) -> None:
    server.answers(granted("t1", refresh_token="r2"), granted("t2"), granted("t3"))
    auth = RefreshToken(endpoint(), "id", SECRET, "r1")
    for _ in range(3):
        sent(auth)
        auth.refused()
    assert [form(seen)["refresh_token"] for seen in server.seen] == ["r1", "r2", "r2"]


def test_a_key_vouches_for_a_user(server: Loopback, endpoint: Endpoint) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    server.answers(granted("t1", instance_url="https://org.example"))
    auth = JwtBearer(endpoint(), "client", "user@org.example", "https://login.example", pem(key))
    assert sent(auth) == "Bearer t1"
    assert auth.token_answer()["instance_url"] == "https://org.example"
    given = form(server.seen[0])
    assert given["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        given["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        audience="https://login.example",
        options={"verify_exp": False},
    )
    assert (claims["iss"], claims["sub"]) == ("client", "user@org.example")
    assert 60 <= claims["exp"] - NOW <= 300


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoded = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return encoded.decode()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "s3cret",
        "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_a_key_that_is_none_needs_a_person(server: Loopback, endpoint: Endpoint, key: str) -> None:
    with pytest.raises(SinkBroken, match="private key") as caught:
        sent(JwtBearer(endpoint(), "client", "user", "aud", key))
    assert "PEM" in caught.value.hint
    assert "s3cret" not in str(caught.value)
    assert not server.seen


def test_a_missing_library_is_named(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(SinkBroken, match="'jwt'") as caught:
        sent(JwtBearer(endpoint(), "client", "user", "aud", "key"))
    assert "pyjwt[crypto]" in caught.value.hint


# -- lifetimes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "assumed", "replaced_at"),
    [
        ({"expires_in": 3600}, None, 3570),
        ({"expires_in": "3600"}, None, 3570),
        ({"expires_in": 100}, None, 90),
        ({}, 1000, 970),
        ({"expires_in": 100}, 1000, 90),
    ],
)
def test_a_token_is_replaced_shortly_before_its_end(
    server: Loopback,
    endpoint: Endpoint,
    clock: Clock,
    answer: dict[str, Any],
    assumed: float | None,
    replaced_at: float,
) -> None:
    server.answers(granted("t1", **answer), granted("t2"))
    auth = ClientCredentials(endpoint(lifetime=assumed), "id", SECRET)
    for clock.now in (0.0, replaced_at - 1):
        assert sent(auth) == "Bearer t1"
    clock.now = replaced_at
    assert sent(auth) == "Bearer t2"


def test_a_token_of_unknown_life_is_used_until_it_is_refused(
    server: Loopback, endpoint: Endpoint, clock: Clock
) -> None:
    server.answers(granted("t1"), granted("t2"))
    auth = ClientCredentials(endpoint(), "id", SECRET)
    sent(auth)
    clock.now = 1e9
    assert sent(auth) == "Bearer t1"
    assert auth.refused()
    assert sent(auth) == "Bearer t2"


# -- refusals ---------------------------------------------------------------------------------


def refusal(auth: TokenAuth) -> SinkError:
    with pytest.raises(SinkError) as caught:
        auth.headers()
    assert "POST /oauth/token" in caught.value.message
    assert "s3cret" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (400, "invalid_scope"),
        (403, "access_denied"),
        (200, "invalid_client"),
    ],
)
@pytest.mark.parametrize("style", ["basic", "post"])
def test_refused_credentials_need_a_person(
    server: Loopback, endpoint: Endpoint, status: int, error: str, style: Any
) -> None:
    body = {"error": error, "error_description": f"{SECRET} is wrong"}
    server.answers(Reply(status, json.dumps(body).encode()))
    refused = refusal(ClientCredentials(endpoint(), "id", SECRET, style=style))
    assert isinstance(refused, SinkBroken)
    assert f"({status}): {error}" in refused.message
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [302, 404, 405])
def test_an_address_without_a_token_endpoint_needs_a_person(
    server: Loopback, endpoint: Endpoint, status: int
) -> None:
    server.answers(Reply(status, b"<html>"))
    refused = refusal(ClientCredentials(endpoint(), "id", SECRET))
    assert isinstance(refused, SinkBroken)
    assert "token endpoint's address" in refused.hint


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(503, headers={"Retry-After": "60"}),
        Reply(400, b'{"error": "temporarily_unavailable"}'),
        Reply(200, b"<html>Sign in to the guest network</html>"),
        Reply(200, b'{"token": "t"}'),
        granted("two words"),
        granted(""),
    ],
)
def test_an_endpoint_out_of_order_is_asked_again_later(
    server: Loopback, endpoint: Endpoint, reply: Reply
) -> None:
    server.answers(reply, granted("t1"))
    auth = ClientCredentials(endpoint(), "id", SECRET)
    late = refusal(auth)
    assert isinstance(late, SinkUnavailable)
    assert late.retry_after == (60.0 if reply.status == 503 else None)
    assert sent(auth) == "Bearer t1"


def test_an_endpoint_that_is_down_or_silent_is_asked_again_later(
    server: Loopback, endpoint: Endpoint
) -> None:
    server.answers(silent)
    down = endpoint(url=f"http://{unused_address()}/oauth/token")
    for place in (down, endpoint(deadline=0.2)):
        assert isinstance(refusal(RefreshToken(place, "id", SECRET, "r")), SinkUnavailable)


def test_an_address_that_is_none_is_not_called(endpoint: Endpoint) -> None:
    with pytest.raises(SinkBroken, match="token endpoint cannot be sent"):
        sent(ClientCredentials(endpoint(url="http://[::1"), "id", SECRET))


# -- together with calls ----------------------------------------------------------------------


def test_a_call_signs_in_and_learns_its_address(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(granted("t1", instance_url=f"{server.url}/org"), Reply(200, b"[]"))
    auth = ClientCredentials(endpoint(), "id", SECRET)
    caller = Caller(
        lambda: str(auth.token_answer()["instance_url"]),
        auth,
        Limits(PLENTY),
        deadline=10.0,
        reach=Reach.PRIVATE,
    )
    assert caller.call(Request("GET", "/query")).json() == []
    caller.close()
    assert [seen.path for seen in server.seen] == ["/oauth/token", "/org/query"]
    assert server.seen[1].headers["authorization"] == "Bearer t1"


def test_an_expired_token_is_renewed_within_the_call(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(granted("t1"), Reply(401), granted("t2"), Reply(200, b"[]"))
    auth = ClientCredentials(endpoint(), "id", SECRET)
    caller = Caller(server.url, auth, Limits(PLENTY), deadline=10.0, reach=Reach.PRIVATE)
    assert caller.call(Request("POST", "/a", json={})).ok
    caller.close()
    assert server.seen[3].headers["authorization"] == "Bearer t2"


def test_a_call_without_a_token_is_not_sent(server: Loopback, endpoint: Endpoint) -> None:
    server.answers(Reply(503, headers={"Retry-After": "60"}))
    auth = ClientCredentials(endpoint(), "id", SECRET)
    counted: list[int] = []
    caller = Caller(server.url, auth, Limits(PLENTY), deadline=10.0, reach=Reach.PRIVATE)
    caller.begin(lambda: counted.append(1), Event())
    with pytest.raises(NotSent) as caught:
        caller.call(Request("POST", "/a", json={}))
    assert caught.value.retry_after == 60.0
    assert not counted
    assert len(server.seen) == 1
