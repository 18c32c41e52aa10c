"""Creating, updating and archiving objects in batches, and what became of each row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from zimun_connectors.hubspot.api import Api, refuse_unknown, results_of, troubles_of
from zimun_connectors.hubspot.lookups import Lookups
from zimun_connectors.hubspot.troubles import Trouble, trouble_of
from zimun_connectors.hubspot.values import spelled
from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.calls import Answer
from zimun_sync.remotes.contract import (
    BatchRefused,
    Done,
    Exists,
    Gone,
    Item,
    NotSent,
    Outcome,
    Refused,
)

Judge = Callable[[Item, Trouble], Outcome]

_TRACE: Final = "objectWriteTraceId"
#: Where an error names rows: by trace id, by id or by our key.
_IDS: Final = ("ids", "id", "objectId")


class Writes:
    """Writes objects.

    Args:
        api: the portal's.
        lookups: finds what an answer left out.
        key_property: the property that keeps our key.
        mark: properties that only a create writes.
    """

    def __init__(
        self, api: Api, lookups: Lookups, key_property: str, mark: Mapping[str, str]
    ) -> None:
        self._api = api
        self._lookups = lookups
        self._key_property = key_property
        self._mark = mark

    def create(self, kind: str, items: Sequence[Item]) -> list[Outcome]:
        """Create objects, or write them again: HubSpot knows them by our key."""
        inputs = [
            {
                "id": item.key,
                "idProperty": self._key_property,
                _TRACE: str(number),
                "properties": self._filled(item),
            }
            for number, item in enumerate(items)
        ]
        answer = self._api.batch(kind, "upsert", {"inputs": inputs})
        return self._settled(kind, items, answer, _created)

    def update(self, kind: str, items: Sequence[Item]) -> list[Outcome]:
        """Write fields of objects by their id."""
        inputs = [
            {"id": item.id, _TRACE: str(number), "properties": _spelled(item)}
            for number, item in enumerate(items)
        ]
        answer = self._api.batch(kind, "update", {"inputs": inputs})
        return self._settled(kind, items, answer, _updated)

    def archive(self, kind: str, items: Sequence[Item]) -> list[Outcome]:
        """Put objects into the recycle bin; HubSpot does not tell which were there."""
        inputs = [{"id": item.id} for item in items]
        answer = self._api.batch(kind, "archive", {"inputs": inputs})
        refused = _refused(kind, items, answer, _updated)
        return [refused.get(item.key, Done(item.key, item.id or "")) for item in items]

    def erase(self, ids: Sequence[str]) -> dict[str, str]:
        """Delete contacts for good; why, by id, HubSpot would not."""
        answers = {each: self._api.erase_contact(each) for each in ids}
        troubles = {each: trouble_of(answer) for each, answer in answers.items() if not answer.ok}
        return {each: told.message for each, told in troubles.items() if not told.is_missing}

    def _filled(self, item: Item) -> dict[str, str]:
        """What a create writes; there is nothing to clear yet."""
        given = {name: spelled(value) for name, value in item.fields.items() if value is not None}
        return {**given, **self._mark}

    def _settled(
        self, kind: str, items: Sequence[Item], answer: Answer, judge: Judge
    ) -> list[Outcome]:
        """One outcome an item, whatever the answer leaves out."""
        refused = _refused(kind, items, answer, judge)
        settled = {**self._written(items, answer), **refused}
        missing = [item for item in items if item.key not in settled]
        if missing:
            settled |= self._looked_up(kind, missing)
        return [settled[item.key] for item in items]

    def _written(self, items: Sequence[Item], answer: Answer) -> dict[str, Outcome]:
        names = _names(items)
        written: dict[str, Outcome] = {}
        for result in results_of(answer) if answer.ok else ():
            key = self._key_of(result, names)
            if key is not None:
                written[key] = Done(key, str(result["id"]))
        return written

    def _key_of(self, result: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
        """The key of the row that a result is of: by trace id, by our key, or by its id."""
        properties = result.get("properties") or {}
        told: tuple[Any, ...] = (
            _traced(result.get(_TRACE)),
            properties.get(self._key_property),
            result.get("id"),
        )
        return next((names[name] for name in told if name in names), None)

    def _looked_up(self, kind: str, missing: Sequence[Item]) -> dict[str, Outcome]:
        try:
            return self._found(kind, missing)
        except NotSent as error:
            # The rows before were sent: only the look-up was not.
            raise SinkUnavailable(
                error.message, retry_after=error.retry_after, hint=error.hint
            ) from error

    def _found(self, kind: str, missing: Sequence[Item]) -> dict[str, Outcome]:
        """Rows that an answer took without a word of them, as they are now."""
        keys = [item.key for item in missing if item.id is None]
        by_key = self._lookups.by_key(kind, keys, []) if keys else {}
        if len(by_key) < len(keys):
            raise SinkUnavailable(
                f"HubSpot's answer left out {len(keys) - len(by_key)} of the {kind} to create."
            )
        ids = {item.id: item.key for item in missing if item.id is not None}
        by_id = self._lookups.by_id(kind, list(ids), []) if ids else {}
        gone: dict[str, Outcome] = {key: Gone(key) for key in ids.values()}
        found = {key: several[0].id for key, several in by_key.items()}
        found |= {ids[asked]: each.id for asked, each in by_id.items()}
        return gone | {key: Done(key, remote_id) for key, remote_id in found.items()}


def _spelled(item: Item) -> dict[str, str]:
    return {name: spelled(value) for name, value in item.fields.items()}


def _created(item: Item, trouble: Trouble) -> Outcome:
    if trouble.is_conflict:
        return Exists(item.key, trouble.existing_id)
    return Refused(item.key, trouble.code, trouble.message)


def _updated(item: Item, trouble: Trouble) -> Outcome:
    if trouble.is_missing:
        return Gone(item.key)
    return Refused(item.key, trouble.code, trouble.message)


def _refused(kind: str, items: Sequence[Item], answer: Answer, judge: Judge) -> dict[str, Outcome]:
    """What became of the rows that HubSpot did not take, by key.

    Raises:
        BatchRefused: the call was refused as a whole, or an error names no row. Rows that were
            written all the same may be written again: creates go by our key, updates by id.
        SinkBroken: the mapping is at fault, not a row.
    """
    troubles = troubles_of(answer) if answer.ok else [trouble_of(answer)]
    refuse_unknown(troubles, kind)
    names, by_key = _names(items), {item.key: item for item in items}
    refused: dict[str, Outcome] = {}
    for trouble in troubles:
        keys = {names[name] for name in _named(trouble) if name in names} if answer.ok else set()
        if not keys and len(items) > 1:
            raise BatchRefused(trouble.code, trouble.message)
        refused |= {key: judge(by_key[key], trouble) for key in keys or by_key}
    return refused


def _named(trouble: Trouble) -> list[str]:
    traces = [_traced(trace) or "" for trace in trouble.context.get(_TRACE, ())]
    return traces + [each for name in _IDS for each in trouble.context.get(name, ())]


def _traced(trace: Any) -> str | None:
    """A trace id under a name that no object's id can have."""
    return f"trace {trace}" if isinstance(trace, str) else None


def _names(items: Sequence[Item]) -> dict[str, str]:
    """Keys of the rows by everything that an answer may call them by."""
    names: dict[str, str] = {}
    for number, item in enumerate(items):
        names |= {f"trace {number}": item.key, item.key: item.key}
        if item.id is not None:
            names[item.id] = item.key
    return names
