"""PostgreSQL's errors as the sink contract's, by SQLSTATE."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from zimun_sync.errors import SinkBroken, SinkUnavailable

Verdict = tuple[type[SinkBroken | SinkUnavailable], str]

_LATER: Final[Verdict] = (
    SinkUnavailable,
    "Check that the server is running and can be reached; delivery goes on by itself then.",
)
_FULL: Final[Verdict] = (
    SinkUnavailable,
    "Free space on the server's disk; delivery goes on by itself then.",
)
_CROWDED: Final[Verdict] = (
    SinkUnavailable,
    "The server is short of connections or memory; delivery goes on by itself when there is room.",
)
_BUSY: Final[Verdict] = (
    SinkUnavailable,
    "Another session is in the way; it is tried again by itself. See pg_stat_activity.",
)
_SLOW: Final[Verdict] = (
    SinkUnavailable,
    "If the server is just slow, raise the sink's `statement_timeout`.",
)
_READ_ONLY: Final[Verdict] = (
    SinkUnavailable,
    "A standby, or set to read-only: see `target_session_attrs` in the connector's page.",
)
_SIGN_IN: Final[Verdict] = (
    SinkBroken,
    "Check user, password and database in the sink's `url`, and the server's pg_hba.conf.",
)
_RIGHTS: Final[Verdict] = (
    SinkBroken,
    "Give the sink's user the rights listed in docs/connectors/postgres.md.",
)
_DAMAGED: Final[Verdict] = (SinkBroken, "The server's files are damaged: ask its administrator.")
_ALTERED: Final[Verdict] = (
    SinkBroken,
    "Somebody has changed the tables: undo that, or give the sink another `schema` to fill.",
)

#: By SQLSTATE, else by its class (the first two digits).
_BY_STATE: Final[dict[str, Verdict]] = {
    "08": _LATER,
    "25006": _READ_ONLY,
    "25P03": _LATER,  # idle in a transaction for too long
    "25P04": _SLOW,  # a transaction for too long
    "28": _SIGN_IN,
    "3D": _SIGN_IN,
    "3F": _ALTERED,
    "40": _BUSY,
    "42": _ALTERED,
    "42501": _RIGHTS,
    "42704": (SinkBroken, "Create what is missing, or correct the sink's settings."),
    "53": _CROWDED,
    "53100": _FULL,
    "55P03": _BUSY,
    "57": _LATER,
    "57014": _SLOW,
    "58": (SinkUnavailable, "Check the server's disk; its log tells more."),
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}

#: A refused connection brings no SQLSTATE, only words; in another language it is tried again.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "is not permitted to log in",
    "permission denied",
    "certificate",
    "does not support SSL",
    "definition of service",
)

#: Classes and states of errors that a row's own content causes.
_OF_A_ROW: Final = ("22", "23", "54")


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise what goes wrong in the block as `SinkUnavailable` or `SinkBroken`.

    Errors that are neither the server's doing nor its administrator's pass as they are.

    Args:
        place: the sink, for the message.
    """
    try:
        yield
    except psycopg.Error as error:
        verdict = _verdict(error)
        if verdict is None:
            raise
        kind, hint = verdict
        raise kind(f"{place}: {_said(error)}", hint=hint) from error


def _verdict(error: psycopg.Error) -> Verdict | None:
    state = error.sqlstate
    if state is not None:
        return _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    if not isinstance(error, psycopg.OperationalError):
        return None
    return _SIGN_IN if any(words in str(error) for words in _REFUSALS) else _LATER


def _said(error: psycopg.Error) -> str:
    """The server's main sentence: what follows it may quote rows."""
    return (error.diag.message_primary or str(error).partition("\n")[0]).rstrip(".") + "."


def is_of_a_row(error: psycopg.Error) -> bool:
    """Whether some row's content may have caused it, so that others could be written."""
    return (error.sqlstate or "")[:2] in _OF_A_ROW


def reason(error: psycopg.Error) -> tuple[str, str]:
    """Code and message for the row that caused it; quotes nothing of the row."""
    column = f" in column {error.diag.column_name}" if error.diag.column_name else ""
    match error:
        case psycopg.errors.NumericValueOutOfRange():
            return "out-of-range", f"A number is larger than PostgreSQL takes{column}."
        case psycopg.errors.InvalidTextRepresentation():
            return "invalid-json", f"PostgreSQL cannot read the JSON{column}."
        case psycopg.errors.IntegrityError():
            name = error.diag.constraint_name
            rule = f"constraint {name}" if name else f"a rule{column}"
            return "constraint", f"The table's {rule} forbids the row."
        case psycopg.errors.OperationalError():
            return "too-large", f"A value is too long or too deep for PostgreSQL{column}."
        case _:
            return "invalid-value", f"PostgreSQL refuses a value{column} ({error.sqlstate})."
