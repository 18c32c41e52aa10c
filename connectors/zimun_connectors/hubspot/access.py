"""The way to a portal: credentials, and how fast it may be called."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from pydantic import SecretStr

from zimun_connectors.hubspot.api import SEARCH
from zimun_connectors.hubspot.config import HubspotSettings
from zimun_sync.remotes.auth import BearerToken, RefreshToken, TokenEndpoint
from zimun_sync.remotes.calls import Auth, Caller
from zimun_sync.remotes.limits import Budget, limits_for

_WINDOW: Final = 10.0
#: The day ends at midnight of the portal's time zone, which no answer tells: look every hour.
_DAY_RETRY: Final = 3600.0
_PREFIX: Final = "x-hubspot-ratelimit-"


def caller_of(settings: HubspotSettings) -> Caller:
    """What calls the portal that the settings' credentials open."""
    limits = limits_for(
        _account(settings),
        per_window=settings.limits.calls_per_10_seconds,
        window_seconds=_WINDOW,
        groups={SEARCH: (settings.limits.searches_per_second, 1.0)},
        observe=_left,
        daily_reserve=settings.limits.daily_reserve,
    )
    return Caller(
        settings.base_url,
        _auth(settings),
        limits,
        deadline=settings.request_deadline,
        reach=settings.reach,
    )


def _auth(settings: HubspotSettings) -> Auth:
    if settings.token is not None:
        return BearerToken(settings.token.get_secret_value())
    url = f"{settings.base_url}/oauth/{settings.api_version}/token"
    return RefreshToken(
        TokenEndpoint(url, settings.request_deadline, reach=settings.reach),
        settings.client_id or "",
        _plain(settings.client_secret),
        _plain(settings.refresh_token),
    )


def _account(settings: HubspotSettings) -> str:
    """Stands for the app in the portal: HubSpot limits each app on its own."""
    told = f"{_plain(settings.token)}\n{_plain(settings.refresh_token)}"
    return f"hubspot {settings.base_url} {blake2b(told.encode(), digest_size=16).hexdigest()}"


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _left(headers: Mapping[str, str]) -> Budget:
    """What an answer's headers say is left; searches say nothing, OAuth nothing of the day."""
    interval = _number(headers, "interval-milliseconds")
    return Budget(
        remaining=_number(headers, "remaining"),
        resets_in=None if interval is None else interval / 1000,
        daily_remaining=_number(headers, "daily-remaining"),
        daily_limit=_number(headers, "daily"),
        daily_resets_in=_DAY_RETRY,
    )


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(_PREFIX + name, "")
    return int(text) if text.isascii() and text.isdigit() else None
