"""Access tokens: RFC 6749 to get one, scopes, expiry and revocation."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from zimun_sync.sandbox import Sandbox, SandboxOptions

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=60)) as running:
        yield running


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


def test_credentials_buy_a_token_with_every_scope(sandbox: Sandbox) -> None:
    answer = httpx.post(
        sandbox.token_url, auth=(sandbox.client_id, sandbox.client_secret), data=GRANT
    )
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"].split() == [
        *("org:read", "availability:read", "appointments:read", "appointments:write")
    ]


def test_the_token_endpoint_is_at_the_hosts_root(sandbox: Sandbox) -> None:
    assert sandbox.token_url == f"{sandbox.root_url}/oauth/token"
    assert httpx.post(f"{sandbox.base_url}/oauth/token", data=GRANT).status_code == 404


def test_credentials_are_form_urlencoded_before_they_are_encoded(serve: Any) -> None:
    client_id, secret = "id:with+colon", "p%ss wörd+&="
    sandbox = serve(client_id=client_id, client_secret=secret)
    encoded = basic(quote_plus(client_id), quote_plus(secret))
    assert httpx.post(sandbox.token_url, headers=encoded, data=GRANT).status_code == 200
    plain = basic(client_id, secret)
    assert httpx.post(sandbox.token_url, headers=plain, data=GRANT).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("zimun-sandbox", "wrong"),
        basic("wrong", "sandbox-secret"),
        {"authorization": "Basic %%%"},
        {"authorization": "Basic /////w=="},
        {"authorization": "Bearer x"},
    ],
)
def test_wrong_credentials_are_refused(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = httpx.post(sandbox.token_url, headers=headers, data=GRANT)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=ü", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=client_credentials&scope=org:read+everything", "invalid_scope"),
    ],
)
def test_other_token_requests_are_refused_as_the_rfc_says(
    sandbox: Sandbox, form: str, error: str
) -> None:
    credentials = (sandbox.client_id, sandbox.client_secret)
    answer = httpx.post(sandbox.token_url, auth=credentials, content=form.encode())
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nobody", "Basic eDp5"])
def test_calls_need_a_token(sandbox: Sandbox, header: str | None) -> None:
    headers = {"authorization": header} if header else {}
    answer = httpx.get(f"{sandbox.base_url}/appointments", headers=headers)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


SCOPES = {
    "org:read": ["/organization", "/services", "/staff", "/resources", "/locations"],
    "availability:read": ["/availability?service_id=s_cut"],
    "appointments:read": ["/appointments", "/appointments/a_b97f4a7c15"],
    "appointments:write": ["/webhooks"],
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_opens_what_it_is_for_and_nothing_else(
    sandbox: Sandbox, sign_in: Any, scope: str
) -> None:
    api = sign_in(sandbox, scope)
    for needed, paths in SCOPES.items():
        for path in paths:
            answer = api.get(path)
            if needed == scope:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 403
                assert needed in answer.json()["message"]


def test_reading_does_not_allow_booking(sandbox: Sandbox, sign_in: Any) -> None:
    api = sign_in(sandbox, "org:read availability:read appointments:read")
    for path in ("hold", "confirm", "reschedule", "cancel"):
        assert api.post(f"/appointments/{path}", json={}).status_code == 403
    assert api.patch("/appointments/a_1", json={}).status_code == 403


def test_a_client_gets_no_scope_it_was_not_given(serve: Any, sign_in: Any) -> None:
    api = sign_in(serve(scopes=["org:read"]))
    assert api.get("/organization").status_code == 200
    assert api.get("/appointments").status_code == 403


def test_tokens_expire_by_the_sandboxs_clock(serve: Any, sign_in: Any) -> None:
    sandbox = serve(token_ttl=30)
    api = sign_in(sandbox)
    assert api.get("/organization").status_code == 200
    sandbox.clock.advance(31)
    assert api.get("/organization").status_code == 401
    assert sign_in(sandbox).get("/organization").status_code == 200


def test_all_tokens_can_be_revoked(sandbox: Sandbox, api: httpx.Client) -> None:
    assert httpx.delete(f"{sandbox.control_url}/tokens").json()["revoked"] >= 1
    assert api.get("/organization").status_code == 401
