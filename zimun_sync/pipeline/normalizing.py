"""Normalizing the pages of one listing: here at first, in a process of its own once it is long."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from zimun_sync.events import Emit, NormalizerProcessEnded
from zimun_sync.normalize import Items, normalize_items
from zimun_sync.normalize.process import NormalizerProcess, ProcessEnded, Setup
from zimun_sync.zimun import Page

#: Records after which a listing counts as long; starting a process costs about as much.
LONG_LISTING = 4_000


class Normalizing:
    """Normalizes page after page; a context manager.

    Args:
        setup: what the normalizer is made of.
        emit: told when the process was lost and its work is done here.

    Attributes:
        normalizer: the one in this process.
        process: the other process, while there is one.
    """

    def __init__(self, setup: Setup, emit: Emit) -> None:
        self.normalizer = setup.normalizer()
        self._setup = setup
        self._emit = emit
        self._stack = ExitStack()
        self.process: NormalizerProcess | None = None
        self._records = 0

    def __call__(self, page: Page) -> Items:
        """Normalize a page."""
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
