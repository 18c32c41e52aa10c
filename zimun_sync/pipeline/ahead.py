"""Fetching one page ahead: the next page is on its way while this one is being stored."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from zimun_sync.zimun import Page

Fetch = Callable[[str | None], Page]


class Ahead(Protocol):
    """Takes requests for pages and hands them over in the same order."""

    def ask(self, fetch: Fetch, page_token: str | None) -> None:
        """Begin to fetch the page behind a token."""
        ...

    def take(self) -> Page:
        """The page asked for; raises what fetching it raised."""
        ...


class Inline:
    """Fetches when the page is taken, on the caller's thread."""

    def __init__(self) -> None:
        self._asked: list[tuple[Fetch, str | None]] = []

    def ask(self, fetch: Fetch, page_token: str | None) -> None:
        """Remember what to fetch."""
        self._asked.append((fetch, page_token))

    def take(self) -> Page:
        """Fetch the page that was asked for first."""
        fetch, page_token = self._asked.pop(0)
        return fetch(page_token)


class OnThread:
    """Fetches on one thread of its own; a context manager."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fetch")
        self._asked: list[Future[Page]] = []

    def ask(self, fetch: Fetch, page_token: str | None) -> None:
        """Begin to fetch at once."""
        self._asked.append(self._thread.submit(fetch, page_token))

    def take(self) -> Page:
        """Wait for the page that was asked for first."""
        return self._asked.pop(0).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
