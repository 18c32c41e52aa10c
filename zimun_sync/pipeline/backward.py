"""Reading the pages of a listing again, from the last to the first.

Where pages are cut by position, a record that is removed moves those behind it towards the
beginning. Whoever reads on misses the one that slips to the page before; whoever reads
backward has that page still to come. What stood all along is on the pages of a pass forward and
one backward, as long as records move one way only: listed by id, say, with new ones at the end.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec.structs import replace

from zimun_sync.errors import MalformedAnswer, NotFound, PageTokenExpired, RequestRefused
from zimun_sync.pipeline.ahead import Fetch
from zimun_sync.store import FIRST_PAGE
from zimun_sync.zimun import Page


def backward(fetch: Fetch, tokens: Sequence[str]) -> Fetch:
    """How to ask for these pages so that each is followed by the one before it.

    Args:
        fetch: asks for a page.
        tokens: of the pages, in the order in which they are to be read; `FIRST_PAGE` for the
            one that has none.
    """
    following: dict[str | None, str | None] = dict(pairwise((*tokens, None)))

    def page(token: str | None) -> Page:
        try:
            answer = fetch(None if token == FIRST_PAGE else token)
        except (NotFound, RequestRefused, MalformedAnswer) as error:
            # The listing may have become so short that this page is none any more.
            raise PageTokenExpired(
                f"A page of the listing cannot be asked for again: {error.message}",
                hint="The listing is read from its first page instead.",
            ) from error
        return replace(answer, next_page_token=following[token])

    return page
