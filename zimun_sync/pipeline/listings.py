"""What the pipeline needs of the Zimun API, and how work that is under way is asked to end."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from zimun_sync.normalize import Rules
from zimun_sync.store import Days, Lease
from zimun_sync.zimun import Page


class Listings(Protocol):
    """What a pull needs of the Zimun API; `ZimunClient` has it."""

    def page(
        self,
        stream: str,
        page_token: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Page:
        """One page of a listing."""
        ...

    def record(self, stream: str, key: str) -> Page:
        """One record by id, as a page of one item; NotFound when it is gone."""
        ...

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        """What a page token of this listing depends on, as a fingerprint."""
        ...

    def changed_since(self, moment: datetime) -> dict[str, str]:
        """Parameters that list only what changed since; empty where the API cannot do that."""
        ...

    def has_by_id(self, stream: str) -> bool:
        """Whether single records of the stream can be asked for."""
        ...


class Coverage(NamedTuple):
    """What a complete listing of days can have missed.

    Args:
        days: what it was asked for; no other record is missing.
        asked: whether there was anything to ask for. If so, an empty answer is one.
    """

    days: Days
    asked: bool


@runtime_checkable
class CoversDays(Protocol):
    """Listings of which some are only of certain days."""

    def coverage(self, stream: str, began: datetime) -> Coverage | None:
        """What a listing that is complete now, and began then, covers; None: everything."""
        ...


class Interrupted(Exception):
    """The process was asked to end; what is stored stays, the next run takes it up."""


class Stopping(Protocol):
    """Whether the process was asked to end."""

    def __call__(self) -> bool:
        """Ask."""
        ...


class EventSource(Struct, frozen=True):
    """Whose events they are.

    Args:
        name: the source's name.
        rules: the user's words on its fields.
        lease: the right to write for it.
    """

    name: str
    rules: Rules
    lease: Lease
