"""Errors, grouped by what a person or the engine does next.

Every error carries a `hint`: the next step, in one sentence. The command line prints
`message` and `hint` and nothing else; a traceback is shown only for a bug of ours.
"""


class ZimunSyncError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: what happened and where (file, key, record).
        hint: what to do next; empty where the message already says it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# -- fix your configuration ---------------------------------------------------------------


class ConfigError(ZimunSyncError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


# -- the source: retry, sign in, or read the hint -----------------------------------------


class SourceError(ZimunSyncError):
    """Something about the Zimun API or the way to it."""


class SourceUnavailable(SourceError):
    """The API could not be reached or asked for patience; the same call may succeed later.

    Args:
        message: what happened.
        retry_after: seconds the server asked to wait, if it did.
        hint: what to do next.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class AuthenticationFailed(SourceError):
    """Client id and secret were refused, or a fresh token was: credentials need attention."""


class ScopeMissing(SourceError):
    """The token is good but lacks a scope that this call needs."""


class NotFound(SourceError):
    """The API answered 404 or 410 for one record or one endpoint."""


class SlotTaken(SourceError):
    """409: the slot was held or booked by someone else."""


class RequestRefused(SourceError):
    """Another 4xx: the API understood the call and said no; repeating it will not help.

    Args:
        message: what the API said.
        status: the HTTP status.
        hint: what to do next.
    """

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class PageTokenExpired(SourceError):
    """The API no longer accepts a page token: the listing has to start again."""


class WrongOrganization(SourceError):
    """The credentials belong to another organization than the source's records so far."""


class MalformedAnswer(SourceError):
    """The API's answer is not what it promises (truncated, no `next_page_token`, not JSON)."""


class PageTokenCycle(MalformedAnswer):
    """The API gave a page token it had given before: the listing would never end."""


class ListingDoubtful(SourceError):
    """A complete listing missed so much, or so oddly, that a person has to look."""


# -- the store: never reset silently ------------------------------------------------------


class StoreError(ZimunSyncError):
    """The state could not be read or written; nothing was changed."""


class StateUnreadable(StoreError):
    """The state is damaged or is not a zimun-sync state."""


class StateTooNew(StoreError):
    """The state was written by a newer release."""


class NotDrained(StoreError):
    """Work under way did not end in time; the process ends without it, and nothing is lost."""


class LeaseHeld(StoreError):
    """Another live process is working on the same source."""


class LeaseLost(StoreError):
    """This process lost its lease while it was away; what it tried to write was refused."""


# -- sinks: again later, or parked until someone acts -------------------------------------


class SinkError(ZimunSyncError):
    """A connector raises one of those below; anything else it raises counts as a bug."""


class SinkUnavailable(SinkError):
    """The sink cannot take the batch now; the engine offers the same batch again later.

    Args:
        message: what happened.
        retry_after: seconds to wait, where the sink knows.
        hint: what to do next.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class SinkBroken(SinkError):
    """The sink needs a person: the engine parks it and shows the hint."""


class SinkHeld(SinkError):
    """The sink could go on but wants a person's word first: it is parked until `resume`."""


# -- records ------------------------------------------------------------------------------


class RecordInvalid(ZimunSyncError):
    """A source record that cannot be normalized; it goes to quarantine.

    Args:
        code: a stable word for the kind of fault, such as `missing-id`.
        message: which field is wrong and how, without the record's personal data.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
