"""OAuth2 as every client of it needs it: who we are, and how long a token is used."""

import base64
import re
from typing import Final
from urllib.parse import quote_plus

#: A token is replaced when a tenth of its life is left, though never more than 30 s early.
_EARLY_SHARE: Final = 0.1
_EARLY_MOST: Final = 30.0

#: What a bearer token may be made of, so that it fits in one header (RFC 6750 §2.1, leniently).
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


def basic_credentials(client_id: str, client_secret: str) -> str:
    """The Authorization header of a client.

    Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1), so that a colon or
    a letter outside ASCII in either arrives intact.
    """
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def fits_in_header(token: str) -> bool:
    """Whether a token can be sent as it is."""
    return _TOKEN.fullmatch(token) is not None


def used_for(expires_in: float | None) -> float | None:
    """Seconds that a token is used for, a little less than it lives; None: until it is refused."""
    if expires_in is None:
        return None
    return expires_in - min(_EARLY_MOST, expires_in * _EARLY_SHARE)
