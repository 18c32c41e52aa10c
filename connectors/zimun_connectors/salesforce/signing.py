"""Signing in to an organization, and which one it is."""

from typing import Any, Final
from urllib.parse import urlsplit

from zimun_connectors.salesforce.config import SalesforceSettings, is_safe_address
from zimun_connectors.salesforce.ids import LONG, SHORT, long_id
from zimun_connectors.salesforce.org import Org, daily_budget
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.auth import ClientCredentials, JwtBearer, TokenEndpoint
from zimun_sync.remotes.auth_tokens import TokenAuth
from zimun_sync.remotes.calls import Caller
from zimun_sync.remotes.contract import Account, RemoteContext
from zimun_sync.remotes.limits import limits_for

#: Salesforce limits calls a day, not a second; this only stops a loop gone wild.
_CALLS, _SECONDS = 1_000, 1.0

#: The results of a bulk job hold what was sent.
_MOST_BYTES: Final = 256 * 1024 * 1024


class SignIn:
    """Signs in, and keeps the access token as long as the process lives.

    Args:
        settings: the sink's.
    """

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings
        self._auth = _auth(settings)

    def sign_in(self, context: RemoteContext) -> tuple[Org, Account]:
        """The organization of these credentials.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: the credentials are refused.
        """
        settings = self._settings
        org_id = organization_of(self._auth.token_answer())
        limits = limits_for(
            f"salesforce {org_id}",
            per_window=_CALLS,
            window_seconds=_SECONDS,
            observe=daily_budget,
            daily_reserve=settings.daily_reserve,
        )
        caller = Caller(
            self._address,
            self._auth,
            limits,
            deadline=settings.request_deadline,
            max_bytes=_MOST_BYTES,
            reach=settings.reach,
        )
        caller.begin(context.called, context.stop)
        label = urlsplit(self._address()).netloc
        return Org(caller, settings.api_version), Account(org_id, label)

    def _address(self) -> str:
        """The organization's own address, which comes with each access token."""
        address = self._auth.token_answer().get("instance_url")
        if not isinstance(address, str) or not is_safe_address(address):
            raise SinkBroken(
                "Salesforce's answer to the sign-in names no https address of the organization.",
                hint="Check login_url: it has to be the address of My Domain.",
            )
        return address


def organization_of(token: Any) -> str:
    """The organization's id of 18 characters, from the identity address that comes with a token.

    Raises:
        SinkBroken: there is none.
    """
    parts = urlsplit(str(token.get("id", ""))).path.strip("/").split("/")
    found = parts[1] if len(parts) == len(("id", "organization", "user")) else ""
    if len(found) not in (SHORT, LONG) or not found.startswith("00D"):
        raise SinkBroken(
            "Salesforce's answer to the sign-in does not tell the organization's id.",
            hint="Check login_url: it has to be the address of My Domain.",
        )
    return long_id(found)


def _auth(settings: SalesforceSettings) -> TokenAuth:
    endpoint = TokenEndpoint(
        f"{settings.login_url}/services/oauth2/token",
        deadline=settings.request_deadline,
        reach=settings.reach,
    )
    if settings.client_secret is not None:
        secret = settings.client_secret.get_secret_value()
        return ClientCredentials(endpoint, settings.client_id, secret, style="post")
    key = settings.private_key.get_secret_value() if settings.private_key else ""
    user = settings.username or ""
    return JwtBearer(endpoint, settings.client_id, user, settings.jwt_audience, key)
