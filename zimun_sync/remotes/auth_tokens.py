"""Access tokens fetched from a token endpoint: three grants of OAuth2."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final, Literal

from zimun_sync.errors import SinkBroken
from zimun_sync.network.credentials import basic_credentials
from zimun_sync.remotes.auth_endpoint import Fetched, TokenEndpoint

__all__ = ["ClientCredentials", "JwtBearer", "RefreshToken", "TokenAuth", "TokenEndpoint"]

#: Seconds an assertion is good for; servers refuse long ones (Salesforce: above 5 minutes).
ASSERTION_SECONDS: Final = 180

#: Fields of a form that no message may repeat.
_SECRET_FIELDS: Final = ("client_secret", "refresh_token", "assertion")


class TokenAuth(ABC):
    """Sends a bearer token and fetches another when it is about to expire or was refused.

    Args:
        endpoint: where tokens are fetched.
        secrets: values that no message may repeat, beside those of the form.
    """

    def __init__(self, endpoint: TokenEndpoint, *secrets: str) -> None:
        self._endpoint = endpoint
        self._secrets = secrets
        self._token: Fetched | None = None

    def headers(self) -> Mapping[str, str]:
        """The token's header; fetches one first where there is none or it is about to expire.

        Raises:
            SinkUnavailable: the token endpoint cannot be reached, or is busy.
            SinkBroken: it refused the credentials.
        """
        return {"Authorization": f"Bearer {self.token_answer()['access_token']}"}

    def token_answer(self) -> Mapping[str, Any]:
        """All that the endpoint answered with the present token, such as `instance_url`.

        Raises:
            SinkUnavailable, SinkBroken: as `headers`.
        """
        token = self._token
        if token is None or (token.until is not None and self._endpoint.monotonic() >= token.until):
            token = self._token = self._fetch()
        return token.answer

    def refused(self) -> bool:
        """Forget the token: the next one may be accepted."""
        self._token = None
        return True

    @abstractmethod
    def _form(self) -> dict[str, str]:
        """What the grant sends."""

    def _client_headers(self) -> dict[str, str]:
        """Headers that prove who the client is, where the form does not."""
        return {}

    def _fetch(self) -> Fetched:
        form = self._form()
        secrets = [form[name] for name in _SECRET_FIELDS if name in form]
        return self._endpoint.fetch(form, self._client_headers(), [*self._secrets, *secrets])


class ClientCredentials(TokenAuth):
    """The client signs in for itself (RFC 6749 §4.4).

    Args:
        endpoint: where tokens are fetched.
        client_id: the client.
        client_secret: its secret.
        style: where id and secret go: `basic`: into a header; `post`: into the form.
        extra: further fields of the form, such as `scope` or `audience`.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        client_secret: str,
        *,
        style: Literal["basic", "post"] = "basic",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(endpoint, client_secret)
        self._client = client_id, client_secret
        self._style = style
        self._extra = dict(extra or {})

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", **self._extra}
        if self._style == "post":
            form["client_id"], form["client_secret"] = self._client
        return form

    def _client_headers(self) -> dict[str, str]:
        if self._style == "post":
            return {}
        return {"Authorization": basic_credentials(*self._client)}


class RefreshToken(TokenAuth):
    """Someone agreed once, and got a token that fetches others (RFC 6749 §6).

    A server that gives another refresh token with each answer is served as long as the process
    lives; the next process starts with the configured one again.

    Args:
        endpoint: where tokens are fetched.
        client_id: the client.
        client_secret: its secret, sent in the form.
        refresh_token: what he got.
        extra: further fields of the form.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        *,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(endpoint)
        self._fixed = {"client_id": client_id, "client_secret": client_secret, **(extra or {})}
        self._refresh_token = refresh_token

    def _form(self) -> dict[str, str]:
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **self._fixed}

    def _fetch(self) -> Fetched:
        fetched = super()._fetch()
        another = fetched.answer.get("refresh_token")
        if isinstance(another, str) and another:
            self._refresh_token = another
        return fetched


class JwtBearer(TokenAuth):
    """A private key vouches for a user (RFC 7523, RS256).

    Args:
        endpoint: where tokens are fetched.
        client_id: the client, `iss` of the assertion.
        subject: the user it acts for, `sub`.
        audience: who is asked, `aud`.
        private_key: RSA key as PEM text, without a passphrase.
        extra: further fields of the form.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        subject: str,
        audience: str,
        private_key: str,
        *,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(endpoint)
        self._claims = {"iss": client_id, "sub": subject, "aud": audience}
        self._private_key = private_key
        self._extra = dict(extra or {})

    def _form(self) -> dict[str, str]:
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant, "assertion": self._assertion(), **self._extra}

    def _assertion(self) -> str:
        try:
            import jwt
        except ModuleNotFoundError as error:
            raise SinkBroken(
                f"Signing in with a private key needs the Python package {error.name!r}.",
                hint="Install it: pip install 'pyjwt[crypto]'; then resume.",
            ) from error
        claims = {**self._claims, "exp": int(self._endpoint.clock()) + ASSERTION_SECONDS}
        try:
            return jwt.encode(claims, self._private_key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise SinkBroken(
                "The private key that signs in cannot be used.",
                hint="Give an RSA key as PEM text, with its first and last line and without a "
                "passphrase; then resume.",
            ) from None  # its text may quote the key
