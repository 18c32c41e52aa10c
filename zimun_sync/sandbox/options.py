"""The sandbox's settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from zimun_sync.sandbox.credentials import CLIENT_ID, CLIENT_SECRET
from zimun_sync.sandbox.faults.fault import Fault

#: Every scope that the API knows.
SCOPES = ("org:read", "availability:read", "appointments:read", "appointments:write")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How a sandbox is set up.

    Args:
        appointments: how many are generated.
        seed: another number, another world.
        today: the day that divides past from future, UTC; default: the current one.
        data: NDJSON whose lines are served as appointments, byte for byte, in place of
            generated ones.
        host: address to listen on.
        port: port to listen on; 0: any that is free.
        latency_ms: how long each page of a list takes at least, milliseconds.
        page_size: records a page when the request does not say.
        page_size_max: records a page at most, whatever the request says.
        page_token_ttl: life of page tokens, seconds; None: for ever.
        token_ttl: life of access tokens, seconds.
        scopes: what the client may do.
        client_id: the client's id.
        client_secret: the client's secret.
        faults: what goes wrong from the start.
        webhook_retry_seconds: pause before a webhook is sent again; each further one doubles.
    """

    appointments: int = 3000
    seed: int = 1
    today: date | None = None
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    latency_ms: float = 0.0
    page_size: int = 200
    page_size_max: int = 500
    page_token_ttl: float | None = None
    token_ttl: int = 3600
    scopes: Sequence[str] = SCOPES
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    faults: Sequence[Fault] = ()
    webhook_retry_seconds: float = 1.0
