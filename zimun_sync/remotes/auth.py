"""Ways to authorize requests; tokens that have to be fetched first are in `auth_tokens`."""

import base64
from collections.abc import Mapping

from zimun_sync.errors import SinkBroken
from zimun_sync.network.credentials import fits_in_header
from zimun_sync.remotes.auth_tokens import (
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    TokenEndpoint,
)

__all__ = [
    "Basic",
    "BearerToken",
    "ClientCredentials",
    "FixedHeaders",
    "JwtBearer",
    "NoAuth",
    "RefreshToken",
    "TokenEndpoint",
]


class FixedHeaders:
    """The same headers each time, such as an API key's.

    Args:
        headers: by name; kept out of messages.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self) -> Mapping[str, str]:
        """Those headers."""
        return self._headers

    def refused(self) -> bool:
        """There are no others."""
        return False


class NoAuth(FixedHeaders):
    """For systems that ask nobody who he is."""

    def __init__(self) -> None:
        super().__init__({})


class Basic(FixedHeaders):
    """HTTP Basic (RFC 7617), user and password as UTF-8."""

    def __init__(self, user: str, password: str) -> None:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        super().__init__({"Authorization": f"Basic {pair}"})


class BearerToken(FixedHeaders):
    """A token that was made by hand and lives long.

    Args:
        token: white space around it, as a file's last line end, does not count.
    """

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        super().__init__({"Authorization": f"Bearer {self._token}"})

    def headers(self) -> Mapping[str, str]:
        """The token's header.

        Raises:
            SinkBroken: it holds what no token holds, such as a space.
        """
        if not fits_in_header(self._token):
            raise SinkBroken(
                "The access token holds a space or another mark that no token holds.",
                hint="Copy the token anew, as one word; then resume.",
            )
        return super().headers()
