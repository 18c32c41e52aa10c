"""What became of one record, from the errors that Salesforce gives for it."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from zimun_connectors.salesforce.failures import Trouble, check_fields, check_passing, trouble_of
from zimun_connectors.salesforce.fields import Table
from zimun_connectors.salesforce.ids import long_id
from zimun_sync.remotes.contract import Done, Exists, Gone, Item, Outcome, Refused

_GONE: Final = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})
_ID: Final = re.compile(r"\bid: ([a-zA-Z0-9]{18}|[a-zA-Z0-9]{15})\b")
#: An error in a bulk job's results: `CODE:message:fields --`.
_ROW_ERROR: Final = re.compile(
    r"(?P<code>[A-Z_]+):(?P<message>.*?)(?::(?P<fields>[^:]*)--)?\s*", re.DOTALL
)


class Action(StrEnum):
    """What is done to records."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


def troubles_of(results: Sequence[Mapping[str, Any]], what: str) -> list[list[Trouble]]:
    """The errors of each record of a collection's answer; none for a record that went well.

    Raises:
        SinkUnavailable: an error passes by itself.
        SinkBroken: a field is missing, or may not be written.
    """
    troubles = [
        [] if result["success"] else [trouble_of(error) for error in result["errors"]] or [_MUTE]
        for result in results
    ]
    for several in troubles:
        check_passing(several)
        check_fields(several, what)
    return troubles


def troubles_of_row(error: str) -> list[Trouble]:
    """The errors of a row of a bulk job's failed results."""
    found = _ROW_ERROR.fullmatch(error)
    if found is None:
        return [Trouble("", error)]
    fields = tuple((found["fields"] or "").split())
    return [Trouble(found["code"], found["message"], fields)]


def outcome_of(
    item: Item, remote_id: str | None, troubles: Sequence[Trouble], table: Table, action: Action
) -> Outcome:
    """What became of an item.

    Args:
        item: what was sent.
        remote_id: the id that Salesforce gives it, if it went well.
        troubles: its errors; none if it went well.
        table: where it belongs.
        action: what was done.
    """
    if not troubles and remote_id:
        return Done(item.key, remote_id)
    trouble = troubles[0] if troubles else _MUTE
    if action is not Action.CREATE and _is_gone(trouble):
        return Gone(item.key)
    if action is Action.CREATE and _is_taken(trouble, table.key_field):
        found = _ID.search(trouble.message)
        return Exists(item.key, long_id(found[1]) if found else None)
    return _refused(item.key, trouble)


def _is_gone(trouble: Trouble) -> bool:
    """Whether the record itself is gone, not one that a field of it names."""
    return trouble.code in _GONE and not set(trouble.fields) - {"Id"}


def _is_taken(trouble: Trouble, key_field: str) -> bool:
    return trouble.code == "DUPLICATE_VALUE" and key_field.lower() in trouble.message.lower()


def _refused(key: str, trouble: Trouble) -> Refused:
    if trouble.code == "DUPLICATES_DETECTED":
        return Refused(
            key,
            trouble.word,
            f"A duplicate rule found a record like it: {trouble.message} Give the record that is "
            "there this e-mail address or phone number, or set allow_duplicates.",
        )
    if trouble.code == "DUPLICATE_EXTERNAL_ID":
        return Refused(key, "ambiguous", f"Several records carry this key: {trouble.message}")
    return Refused(key, trouble.word, f"{trouble.message}{trouble.names}")


_MUTE: Final = Trouble("UNKNOWN", "Salesforce gives no reason.")
