"""What Salesforce's errors mean for what happens next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.calls import Answer
from zimun_sync.remotes.contract import BatchRefused, NotSent

#: Seconds to wait when the day's calls are used up: they come back as a day ago rolls on.
LIMIT_PAUSE: Final = 900.0
_BUSY_PAUSE: Final = 60.0

_MULTIPLE_CHOICES: Final = 300
_FORBIDDEN: Final = 403
_GONE_PATHS: Final = (404, 410)

#: Passing: another transaction holds a lock, or Salesforce is too busy.
_PASSING: Final = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG"}
)
_FIELD: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE"})
_NO_RIGHTS: Final = "INVALID_FIELD_FOR_INSERT_UPDATE"

FIELD_HINT: Final = (
    "Create the field, or let the sink's user see and edit it (its permission set's field "
    "permissions), or take it out of the mapping; see docs/connectors/salesforce.md."
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error, of a call or of a record.

    Args:
        code: Salesforce's, as `DUPLICATE_VALUE`.
        message: its words.
        fields: the fields it names.
    """

    code: str
    message: str
    fields: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The code as the engine spells codes."""
        return self.code.lower().replace("_", "-") or "refused"

    @property
    def passes(self) -> bool:
        """Whether repeating may help."""
        return self.code in _PASSING

    @property
    def names(self) -> str:
        """The fields it names, in brackets."""
        return f" ({', '.join(self.fields)})" if self.fields else ""


def trouble_of(error: Mapping[str, Any]) -> Trouble:
    """An error as the body of an answer has it."""
    code = error.get("statusCode") or error.get("errorCode") or ""
    fields = error.get("fields") or ()
    return Trouble(str(code), str(error.get("message") or code), tuple(map(str, fields)))


def judged(answer: Answer, what: str) -> Answer:
    """The answer, if it is a good one.

    Args:
        answer: what came back.
        what: what was asked for, for messages.

    Raises:
        SinkUnavailable: not now (`NotSent` at a limit).
        SinkBroken: a person has to act.
        BatchRefused: Salesforce will not take what was sent.
    """
    if answer.ok:
        return answer
    trouble = _first(answer)
    check_passing([trouble])
    if answer.status == _FORBIDDEN or trouble.code in _FIELD:
        raise _broken(trouble, what)
    if answer.status in _GONE_PATHS:
        raise SinkBroken(
            f"Salesforce does not know what was asked for ({what}): {trouble.message}",
            hint="Check `api_version`, and that the sink's user may use the object.",
        )
    if answer.status == _MULTIPLE_CHOICES:
        raise BatchRefused("ambiguous", "Several records there carry this key.")
    raise BatchRefused(trouble.word, trouble.message)


def check_passing(troubles: Iterable[Trouble]) -> None:
    """Stop at trouble that is over by itself.

    Raises:
        NotSent: a limit; Salesforce did not look at what was sent.
        SinkUnavailable: one of the troubles passes.
    """
    for trouble in troubles:
        if trouble.code == "REQUEST_LIMIT_EXCEEDED":
            concurrent = "concurrent" in trouble.message.lower()
            raise NotSent(
                f"Salesforce takes no more calls now: {trouble.message}",
                retry_after=_BUSY_PAUSE if concurrent else LIMIT_PAUSE,
                hint="The limit is the whole organization's; Setup, Company Information shows "
                "how much of it is used.",
            )
        if trouble.passes:
            raise SinkUnavailable(
                f"Salesforce is busy: {trouble.code}: {trouble.message}", retry_after=_BUSY_PAUSE
            )


@contextmanager
def after_a_write() -> Iterator[None]:
    """Within it, a limit no longer means that nothing was written.

    Raises:
        SinkUnavailable: in place of `NotSent`.
    """
    try:
        yield
    except NotSent as late:
        raise SinkUnavailable(late.message, retry_after=late.retry_after, hint=late.hint) from late


def check_fields(troubles: Sequence[Trouble], what: str) -> None:
    """Stop where a field is missing, or may not be written.

    Raises:
        SinkBroken: names the field.
    """
    for trouble in troubles:
        hidden = trouble.code == _NO_RIGHTS and "security settings" in trouble.message
        if hidden or trouble.code in _FIELD:
            raise _broken(trouble, what)


def _first(answer: Answer) -> Trouble:
    """The first error of a body; a body of several has them in order of importance."""
    try:
        body = answer.json()
    except SinkUnavailable:
        return Trouble("", answer.remark())
    errors = body if isinstance(body, list) else [body]
    if errors and isinstance(errors[0], Mapping):
        return trouble_of(errors[0])
    return Trouble("", answer.remark())


def _broken(trouble: Trouble, what: str) -> SinkBroken:
    if trouble.code in _FIELD or trouble.code == _NO_RIGHTS:
        return SinkBroken(
            f"Salesforce refuses a field ({what}): {trouble.message}{trouble.names}",
            hint=FIELD_HINT,
        )
    return SinkBroken(
        f"Salesforce refuses the call ({what}): {trouble.code}: {trouble.message}",
        hint="Check the permission set of the sink's user: API Enabled, and the rights on "
        "Contact and Event that docs/connectors/salesforce.md lists.",
    )
