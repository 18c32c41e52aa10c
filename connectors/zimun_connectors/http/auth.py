"""What authorizes the requests of a section."""

from pydantic import SecretStr

from zimun_connectors.http.sections import AuthSettings
from zimun_sync.network.reach import Reach
from zimun_sync.remotes.auth import (
    Basic,
    BearerToken,
    ClientCredentials,
    FixedHeaders,
    NoAuth,
    TokenEndpoint,
)
from zimun_sync.remotes.calls import Auth


def auth_of(settings: AuthSettings, deadline: float, reach: Reach) -> Auth:
    """What authorizes requests under these settings.

    Args:
        settings: the sink's `auth`.
        deadline: seconds within which signing in must be over.
        reach: how far the requests for it may go.
    """
    match settings.type:
        case "bearer":
            return BearerToken(_plain(settings.token))
        case "basic":
            return Basic(settings.username or "", _plain(settings.password))
        case "header":
            return FixedHeaders({settings.name or "": _plain(settings.value).strip()})
        case "oauth2":
            return ClientCredentials(
                TokenEndpoint(settings.token_url or "", deadline, reach=reach),
                settings.client_id or "",
                _plain(settings.client_secret),
                style=settings.client_auth,
                extra=settings.extra,
            )
        case _:
            return NoAuth()


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
