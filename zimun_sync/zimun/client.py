"""The Zimun client: every documented call, typed, with retries, limits and one shared token."""

import contextlib
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

import httpx

from zimun_sync.network.reach import Reach
from zimun_sync.network.transport import DeadlineTransport
from zimun_sync.zimun.auth import SharedToken, sign_in
from zimun_sync.zimun.bookings import Bookings
from zimun_sync.zimun.exchange import Exchange, Waiting
from zimun_sync.zimun.listings import Listings
from zimun_sync.zimun.settings import ClientSettings
from zimun_sync.zimun.timing import Timing
from zimun_sync.zimun.webhooks import Webhooks


class ZimunClient(Listings, Bookings, Webhooks):
    """One organization's access to the Zimun API; a context manager, shared freely by threads.

    Every call raises a `SourceError` whose type says what to do next, with a hint; see
    `zimun_sync.errors`. A call that fails is repeated as far as the settings allow, and
    `Retry-After` is obeyed by all threads together.

    Args:
        settings: where the API is, the credentials, and what is assumed.
        transport: the way to the network; by default a pool of connections that `close` ends.
            One that is given stays the caller's to close.
        timing: clocks, chance, waiting, and the signal that ends a wait.
        observer: told of each wait before it begins, from the thread that waits.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        transport: httpx.BaseTransport | None = None,
        timing: Timing | None = None,
        observer: Callable[[Waiting], None] | None = None,
    ) -> None:
        timing = timing or Timing()
        self._owned = contextlib.ExitStack()
        if transport is None:
            way = DeadlineTransport(settings.base_url, Reach.PRIVATE)
            transport = self._owned.enter_context(way)
        exchange = Exchange(settings, transport, timing, observer)
        tokens = SharedToken(partial(sign_in, exchange, settings), timing.monotonic)
        self._shared = tokens
        super().__init__(settings, exchange, tokens)

    @property
    def granted_scopes(self) -> frozenset[str]:
        """What the latest access token permits; empty before the first, or where not told."""
        return self._shared.scopes

    def close(self) -> None:
        """Close the connections."""
        self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
