"""What the little CRM speaks of: its rules, its objects, and how it says no."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zimun_sync.remotes.contract import Linking

STATUSES: Final = ("booked", "cancelled", "no_show", "completed")
INSTANTS: Final = ("starts_at", "ends_at")
#: Field names by kind of object.
FIELDS: Final = {
    "contact": {"email", "phone", "name", "note", "source"},
    "appointment": {"title", *INSTANTS, "status", "owner", "notes", "source"},
}


@dataclass(frozen=True, slots=True)
class PocketRules:
    """What kind of system it is.

    Args:
        linking: how appointments and contacts are tied.
        batch: most objects it takes in one call.
        keeps_keys: whether objects have a field for a foreign key, which is unique.
        knows_tokens: whether a create repeated with the same token is the same create.
        unique_emails: whether a second contact with the same e-mail address is turned away.
        atomic: whether one bad object makes it refuse a whole call.
        search_lags: whether searches see new objects only after `PocketDesk.reindex`.
        wants_versions: whether an update has to name the revision that it changes.
        cancels_by_call: whether a cancellation is a call of its own instead of a status.
    """

    linking: Linking = Linking.CALL
    batch: int = 100
    keeps_keys: bool = True
    knows_tokens: bool = True
    unique_emails: bool = False
    atomic: bool = False
    search_lags: bool = False
    wants_versions: bool = False
    cancels_by_call: bool = False


@dataclass(frozen=True, slots=True)
class PocketObject:
    """A contact or an appointment, or what is to be written of one.

    Args:
        id: its id; empty when it is still to be made.
        fields: its values, none of them None in what it holds; instants are aware UTC.
        version: its revision.
        key: the foreign key it keeps.
        token: the idempotency token it was made with.
        contact_ids: of an appointment: whom it is tied to; None in what is to be written leaves
            that as it is.
    """

    id: str
    fields: Mapping[str, Any]
    version: int | None = None
    key: str | None = None
    token: str = ""
    contact_ids: tuple[str, ...] | None = None


class PocketDown(Exception):
    """The system failed: nobody knows what was written."""


class PocketUnreachable(PocketDown):
    """There is no way to the system: nothing was written."""


class PocketRefusal(Exception):
    """It says no to one object, or to a whole call.

    Args:
        code: `gone`, `stale`, `exists`, or what is wrong with the object.
        message: for people.
        object_id: of `exists`: which object.
    """

    def __init__(self, code: str, message: str, object_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.object_id = object_id


Result = PocketObject | PocketRefusal
