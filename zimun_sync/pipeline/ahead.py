"""Working ahead: while one page is being stored, the next is fetched and normalized.

At most two pages are ever fetched and not yet stored, the one being stored and the one on its
way: that is what a crash can cost.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import NamedTuple, Protocol

from zimun_sync.pipeline.normalizing import Ready
from zimun_sync.zimun import Page

Fetch = Callable[[str | None], Page]
Prepare = Callable[[Page], Ready]

#: Pages that may be fetched and not yet stored.
IN_FLIGHT = 2


class Prepared(NamedTuple):
    """A page, and what was made of it."""

    page: Page
    ready: Ready


class Ahead(Protocol):
    """How the pages of a listing are got ready."""

    def __call__(
        self, fetch: Fetch, prepare: Prepare, page_token: str | None
    ) -> Generator[Prepared, None, None]:
        """The pages from a token to the last one, in order.

        Asking for the next page says that the one before it is stored. Raises what fetching
        or preparing raised. Close the iterator to end early.
        """
        ...


def in_turn(
    fetch: Fetch, prepare: Prepare, page_token: str | None
) -> Generator[Prepared, None, None]:
    """One page after the other, on the caller's thread."""
    while True:
        page = fetch(page_token)
        yield Prepared(page, prepare(page))
        page_token = page.next_page_token
        if page_token is None:
            return


def on_threads(
    fetch: Fetch, prepare: Prepare, page_token: str | None
) -> Generator[Prepared, None, None]:
    """Fetching and preparing on a thread each, as far ahead as `IN_FLIGHT` allows."""
    with closing(_Line(fetch, prepare)) as line:
        yield from line.pages(page_token)


class _Line:
    """Two threads and the queues between them. None in a queue: there is nothing more."""

    def __init__(self, fetch: Fetch, prepare: Prepare) -> None:
        self._fetch = fetch
        self._prepare = prepare
        self._room = Semaphore(IN_FLIGHT)
        self._closed = False
        self._fetched: SimpleQueue[Page | Exception | None] = SimpleQueue()
        self._ready: SimpleQueue[Prepared | Exception | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def pages(self, page_token: str | None) -> Generator[Prepared, None, None]:
        self._threads = [
            Thread(target=self._fetch_all, args=(page_token,), name="fetch", daemon=True),
            Thread(target=self._prepare_all, name="prepare", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        while (ready := self._ready.get()) is not None:
            if isinstance(ready, Exception):
                raise ready
            yield ready
            self._room.release()

    def close(self) -> None:
        """End both threads; a request that is under way is waited for."""
        self._closed = True
        self._room.release()
        for thread in self._threads:
            thread.join()

    def _fetch_all(self, page_token: str | None) -> None:
        try:
            while True:
                self._room.acquire()
                if self._closed:
                    break
                page = self._fetch(page_token)
                self._fetched.put(page)
                page_token = page.next_page_token
                if page_token is None:
                    break
        except Exception as error:  # noqa: BLE001 - raised again where the pages are taken
            self._fetched.put(error)
        self._fetched.put(None)

    def _prepare_all(self) -> None:
        while (fetched := self._fetched.get()) is not None:
            if isinstance(fetched, Exception):
                self._ready.put(fetched)
                continue
            try:
                self._ready.put(Prepared(fetched, self._prepare(fetched)))
            except Exception as error:  # noqa: BLE001 - raised again where the pages are taken
                self._ready.put(error)
        self._ready.put(None)
