"""Normalizing the pages of one listing: here at first, in a process of its own once it is long."""

from collections.abc import Callable
from contextlib import ExitStack
from hashlib import blake2b
from types import TracebackType
from typing import NamedTuple, Self

from zimun_sync.events import Emit, NormalizerProcessEnded
from zimun_sync.normalize import Items, normalize_items
from zimun_sync.normalize.process import NormalizerProcess, ProcessEnded, Setup
from zimun_sync.store import KnownPage
from zimun_sync.zimun import Page

#: Finds a page by its number in the listing, from 0, and the digest of its items.
Find = Callable[[int, bytes], KnownPage | None]

#: Records after which a listing counts as long; starting a process costs about as much.
LONG_LISTING = 4_000
_DIGEST_BYTES = 16


class Ready(NamedTuple):
    """A page that can be stored.

    Args:
        items: normalized or refused; None for a page that is known.
        digest: of the items as they came.
        known: the page as it was found, if it was.
    """

    items: Items | None
    digest: bytes
    known: KnownPage | None = None


def unknown(_number: int, _digest: bytes) -> None:
    """Find no page: each is normalized."""


class Normalizing:
    """Normalizes page after page; a context manager.

    Args:
        setup: what the normalizer is made of.
        emit: told when the process was lost and its work is done here.
        find: finds pages that need no work, because the last listing had them alike.
        first: number of the first page.

    Attributes:
        normalizer: the one in this process.
        process: the other process, while there is one.
    """

    def __init__(self, setup: Setup, emit: Emit, find: Find = unknown, first: int = 0) -> None:
        self.normalizer = setup.normalizer()
        self._setup = setup
        self._emit = emit
        self._stack = ExitStack()
        self.process: NormalizerProcess | None = None
        self._records = 0
        self._find = find
        self._number = first

    def __call__(self, page: Page) -> Ready:
        """Normalize a page, unless it is known."""
        # Each item is a whole JSON value: put together, they can be read in one way only.
        digest = blake2b(b"".join(page.items), digest_size=_DIGEST_BYTES).digest()
        number, self._number = self._number, self._number + 1
        known = self._find(number, digest)
        if known is not None:
            return Ready(None, digest, known)
        return Ready(self._normalize(page), digest)

    def here(self, page: Page) -> Items:
        """Normalize a page that was known and has changed, on the caller's thread."""
        return normalize_items([bytes(item) for item in page.items], self.normalizer)

    def _normalize(self, page: Page) -> Items:
        items = [bytes(item) for item in page.items]
        before, self._records = self._records, self._records + len(items)
        if before < LONG_LISTING <= self._records and page.next_page_token is not None:
            self.process = self._stack.enter_context(NormalizerProcess(self._setup))
        if self.process is None:
            return normalize_items(items, self.normalizer)
        try:
            return self.process.normalize(items)
        except ProcessEnded:
            self.process = None
            self._emit(NormalizerProcessEnded(self._setup.stream))
            return normalize_items(items, self.normalizer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
