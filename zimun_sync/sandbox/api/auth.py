"""Access tokens: RFC 6749 client credentials to get one, RFC 6750 bearer to use it."""

import binascii
import hmac
import secrets
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.problem import ApiProblem


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The one API client of the organization.

    Args:
        client_id: its id.
        client_secret: its secret.
        scopes: what it may ask for.
        token_ttl: life of its tokens, seconds.
    """

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    token_ttl: int


@dataclass(frozen=True, slots=True)
class _Grant:
    scopes: frozenset[str]
    expires_at: datetime


class TokenRefused(Exception):
    """An error of the token endpoint (RFC 6749, 5.2).

    Args:
        status: the HTTP status.
        error: the word that the RFC gives it.
        description: a sentence for people.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class Tokens:
    """Issues access tokens and tells which are good.

    Args:
        client: who may have one.
        now: the clock that they expire by.
    """

    def __init__(self, client: ClientSettings, now: Now) -> None:
        self._client = client
        self._now = now
        self._grants: dict[str, _Grant] = {}

    def issue(self, authorization: str | None, form: bytes) -> dict[str, Any]:
        """A fresh token for the credentials in an `Authorization: Basic` header.

        Args:
            authorization: the header; id and secret in it are form-urlencoded (RFC 6749, 2.3.1).
            form: the body, `application/x-www-form-urlencoded`.

        Raises:
            TokenRefused: the answer is the RFC's error object.
        """
        self._authenticate(authorization)
        fields = _fields(form)
        grant_type = fields.get("grant_type")
        if grant_type is None:
            raise TokenRefused(400, "invalid_request", "grant_type is missing.")
        if grant_type != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", "Use client_credentials.")
        scopes = self._granted(fields.get("scope", ""))
        self._forget_expired()
        token = f"zt_{secrets.token_urlsafe(24)}"
        life = timedelta(seconds=self._client.token_ttl)
        self._grants[token] = _Grant(frozenset(scopes), self._now() + life)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self._client.token_ttl,
            "scope": " ".join(scopes),
        }

    def check(self, authorization: str | None, scope: str) -> None:
        """Makes sure that a request bears a live token with a scope.

        Raises:
            ApiProblem: 401, no token, an unknown, revoked or expired one; 403, it lacks the scope.
        """
        grant = self._grants.get(bearer(authorization))
        if grant is None or grant.expires_at <= self._now():
            raise ApiProblem(
                401,
                "invalid-token",
                "The access token is missing, unknown, expired or revoked.",
                headers={"www-authenticate": 'Bearer error="invalid_token"'},
            )
        if scope not in grant.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise ApiProblem(
                403,
                "missing-scope",
                f"The access token lacks the scope {scope}.",
                headers={"www-authenticate": challenge},
            )

    def revoke(self, authorization: str | None) -> None:
        """Makes the token of a request worthless at once."""
        self._grants.pop(bearer(authorization), None)

    def revoke_all(self) -> int:
        """Makes every token worthless and returns how many there were."""
        count = len(self._grants)
        self._grants.clear()
        return count

    def _forget_expired(self) -> None:
        now = self._now()
        self._grants = {
            token: grant for token, grant in self._grants.items() if grant.expires_at > now
        }

    def _authenticate(self, authorization: str | None) -> None:
        client_id, secret = _basic(authorization)
        known = hmac.compare_digest(client_id.encode(), self._client.client_id.encode())
        proven = hmac.compare_digest(secret.encode(), self._client.client_secret.encode())
        if not (known and proven):
            raise TokenRefused(401, "invalid_client", "Client id or secret is wrong.")

    def _granted(self, asked: str) -> tuple[str, ...]:
        wanted = set(asked.split())
        if not wanted <= set(self._client.scopes):
            raise TokenRefused(400, "invalid_scope", "The client may not have that scope.")
        return tuple(scope for scope in self._client.scopes if not wanted or scope in wanted)


def bearer(authorization: str | None) -> str:
    """The token of an `Authorization: Bearer` header; empty when there is none."""
    kind, _, token = (authorization or "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _basic(authorization: str | None) -> tuple[str, str]:
    kind, _, encoded = (authorization or "").partition(" ")
    try:
        pair = b64decode(encoded.strip(), validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _fields(form: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(form.decode("ascii"), keep_blank_values=True)
    except UnicodeDecodeError:
        raise TokenRefused(400, "invalid_request", "The body is not a form.") from None
    if any(len(values) > 1 for values in fields.values()):
        raise TokenRefused(400, "invalid_request", "A parameter is repeated.")
    return {name: values[0] for name, values in fields.items() if values[0]}
