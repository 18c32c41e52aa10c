"""Requests to daemons and sandboxes, each on a connection of its own."""

from typing import Final

import httpx

#: Kept, because a client that checks certificates takes longer to make than an answer takes.
HTTP: Final = httpx.Client(
    timeout=30, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
)
