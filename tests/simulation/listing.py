"""How the API cuts a listing into pages: by offset or after a key, while it changes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.simulation.profile import Order
from tests.simulation.records import Content
from tests.simulation.source import Source


class Cursor(NamedTuple):
    """What a page token stands for.

    Args:
        stream: the listing.
        place: where it goes on: a number of records, or the sort key of the last one; None at
            the beginning.
        depth: pages before it.
        made_at: when it was given out, seconds since the epoch.
        params: the listing's other parameters.
    """

    stream: str
    place: Any
    depth: int
    made_at: float
    params: frozenset[tuple[str, str]]


class Cut(NamedTuple):
    """A page's records, and where the next page begins; None after the last one."""

    records: list[Content]
    place: Any


def appointments(source: Source, since: str | None, behind: int) -> dict[str, Content]:
    """The appointments that a listing shows.

    Args:
        source: the truth.
        since: only those changed since; an ISO time.
        behind: changes that the listing lags behind.
    """
    lag = min(behind, len(source.past))
    shown: Mapping[str, Content] = source.past[-lag] if lag else source.appointments
    if since is None:
        return dict(shown)
    return {key: each for key, each in shown.items() if each["updated_at"] >= since}


def cut(source: Source, shown: dict[str, Content], order: Order, place: Any, size: int) -> Cut:
    """The page at a place.

    Args:
        source: knows when each record was touched.
        shown: records by key.
        order: of the listing, and how it is paged.
        place: where the page begins.
        size: most records of it.
    """
    keys = sorted(shown)
    if order.endswith("updated"):
        keys.sort(key=lambda key: source.touched.get(key, 0), reverse=order == "offset-updated")
    if order.startswith("offset"):
        begin = place or 0
        end = begin + size
        return Cut([shown[key] for key in keys[begin:end]], end if end < len(keys) else None)
    ranks = {
        key: (source.touched.get(key, 0) if order.endswith("updated") else 0, key) for key in keys
    }
    rest = [key for key in keys if place is None or ranks[key] > place]
    page = rest[:size]
    return Cut([shown[key] for key in page], ranks[page[-1]] if len(rest) > size else None)
