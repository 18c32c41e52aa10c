"""Normalizing the pages of one listing: here at first, in a process of its own once it is long.

Until that process has started, which takes as long as several pages, work goes on here.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from types import TracebackType
from typing import NamedTuple, Self

from zimun_sync.events import Emit, NormalizerProcessEnded
from zimun_sync.normalize import Items, normalize_items
from zimun_sync.normalize.process import NormalizerProcess, ProcessEnded, Setup
from zimun_sync.store import KnownListing, KnownPage, Prints
from zimun_sync.zimun import Page

#: Records after which a listing counts as long; starting a process costs about as much.
LONG_LISTING = 4_000
_NOTHING = Items([], [], [])


class Ready(NamedTuple):
    """A page that can be stored.

    Args:
        items: normalized or refused; without those that are known.
        prints: what all of the page's items are known by from now on; None: as before.
        kept: for each item 0, or the sequence of its record if it is known; empty if none is.
    """

    items: Items
    prints: Prints | None = None
    kept: Sequence[int] = ()


class Normalizing:
    """Normalizes page after page; a context manager.

    Args:
        setup: what the normalizer is made of.
        emit: told when the process was lost and its work is done here.
        known: items that need no work, because the last listing had them alike; None for a
            listing that is not a full one.
        numbers: of the pages, in the order in which they come.

    Attributes:
        normalizer: the one in this process.
        process: the other process, while there is one.
    """

    def __init__(
        self,
        setup: Setup,
        emit: Emit,
        known: KnownListing | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.normalizer = setup.normalizer()
        self._setup = setup
        self._emit = emit
        self._stack = ExitStack()
        self.process: NormalizerProcess | None = None
        self._records = 0
        self._known = known
        self._numbers = count() if numbers is None else numbers

    def __call__(self, page: Page) -> Ready:
        """Normalize what is not known of a page."""
        items = self.normalizer.scrubber.items([bytes(item) for item in page.items])
        is_last = page.next_page_token is None
        if self._known is None:
            return Ready(self._normalize(items, is_last=is_last))
        printing = self._known.printing
        digest = printing.digest(items)
        known = self._known.page(next(self._numbers))
        if known is not None and known.prints.digest == digest and all(known.seqs):
            return Ready(_NOTHING, kept=known.seqs)
        prints = Prints(digest, printing.marks(items))
        kept = _kept(known, prints)
        fresh = [item for item, seq in zip(items, kept, strict=True) if not seq] if kept else items
        return Ready(self._normalize(fresh, is_last=is_last), prints, kept)

    def whole(self, page: Page) -> Ready:
        """Normalize every item of a page, known or not, on the caller's thread."""
        items = self.normalizer.scrubber.items([bytes(item) for item in page.items])
        made = normalize_items(items, self.normalizer)
        if self._known is None:
            return Ready(made)
        printing = self._known.printing
        return Ready(made, Prints(printing.digest(items), printing.marks(items)))

    def _normalize(self, items: Sequence[bytes], *, is_last: bool) -> Items:
        before, self._records = self._records, self._records + len(items)
        if before < LONG_LISTING <= self._records and not is_last:
            self.process = self._stack.enter_context(NormalizerProcess(self._setup))
        if self.process is None or not self.process.is_ready():
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


def _kept(known: KnownPage | None, prints: Prints) -> list[int]:
    """For each item 0, or the sequence of its record if its bytes are known; empty if none are."""
    if known is None:
        return []
    seq_of = dict(zip(known.prints.marks, known.seqs, strict=True))
    kept = [seq_of.get(mark, 0) for mark in prints.marks]
    return kept if any(kept) else []
