"""Writing and reading records in collections: up to 200 written a call, up to 2,000 read."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, TypeVar

from zimun_connectors.salesforce.failures import after_a_write
from zimun_connectors.salesforce.fields import WHO, Table
from zimun_connectors.salesforce.org import Org
from zimun_connectors.salesforce.outcomes import Action, outcome_of, troubles_of
from zimun_connectors.salesforce.values import to_json
from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.calling import halving
from zimun_sync.remotes.contract import Item, Outcome

_READ_AT_ONCE: Final = 2_000
_ALLOW_SAVE: Final = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}

Record = dict[str, Any]

_Each = TypeVar("_Each")


def record_of(item: Item, table: Table, action: Action) -> Record:
    """An item as a record, with what tells which one it is: our key, or its id."""
    record = {name: to_json(value) for name, value in item.fields.items()}
    if item.retied or (action is Action.CREATE and item.contact_id is not None):
        record[WHO] = item.contact_id
    if action is Action.CREATE:
        record[table.key_field] = item.key
    else:
        record["Id"] = item.id
    return record


class Records:
    """Records of one organization.

    Args:
        org: signed in to.
        per_call: most records written in a call.
        allow_duplicates: whether an alert of a duplicate rule is passed over.
    """

    def __init__(self, org: Org, per_call: int, *, allow_duplicates: bool) -> None:
        self._org = org
        self._per_call = per_call
        self._headers = _ALLOW_SAVE if allow_duplicates else {}

    def write(
        self, table: Table, action: Action, items: Sequence[Item], *, underway: bool = False
    ) -> dict[str, Outcome]:
        """Create, update or delete; the outcome by key. A call that is refused is halved.

        Args:
            table: where they belong.
            action: what to do.
            items: of distinct keys.
            underway: whether others that belong with them have been written already.

        Raises:
            NotSent: nothing was written.
            SinkUnavailable, SinkBroken: a part may have been written.
        """
        outcomes: dict[str, Outcome] = {}
        begun = [underway]
        for some in _portions(items, self._per_call):
            with after_a_write() if any(begun) else nullcontext():
                outcomes |= halving(partial(self._write, table, action, begun), some)
        return outcomes

    def read(self, table: Table, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Records by the id they were asked for by; deleted ones are left out.

        Raises:
            SinkUnavailable, SinkBroken: as any call.
        """
        found: dict[str, Record] = {}
        for some in _portions(ids, _READ_AT_ONCE):
            body = {"ids": list(some), "fields": list(dict.fromkeys(["Id", *fields]))}
            path = f"composite/sobjects/{table.name}"
            answer = self._org.read("POST", path, f"reading {table.name}", json=body)
            records = self._fitting(answer.json(), len(some))
            found |= {asked: record for asked, record in zip(some, records, strict=True) if record}
        return found

    def _write(
        self, table: Table, action: Action, begun: list[bool], items: Sequence[Item]
    ) -> list[Outcome]:
        """Write one collection, and note in `begun` that Salesforce took it up."""
        what = f"{action} of {len(items)} {table.name}"
        answer = self._sent(table, action, items, what)
        begun.append(True)
        results = self._fitting(answer, len(items))
        troubles = troubles_of(results, what)
        return [
            outcome_of(item, result.get("id"), several, table, action)
            for item, result, several in zip(items, results, troubles, strict=True)
        ]

    def _sent(self, table: Table, action: Action, items: Sequence[Item], what: str) -> Any:
        path = "composite/sobjects"
        if action is Action.DELETE:
            ids = ",".join(item.id for item in items if item.id)
            params = {"ids": ids, "allOrNone": "false"}
            return self._org.call("DELETE", path, what, params=params).json()
        if action is Action.CREATE:
            path = f"{path}/{table.name}/{table.key_field}"
        records = [
            {"attributes": {"type": table.name}, **record_of(item, table, action)} for item in items
        ]
        body = {"allOrNone": False, "records": records}
        return self._org.call("PATCH", path, what, json=body, headers=self._headers).json()

    def _fitting(self, results: Any, expected: int) -> list[Record]:
        """The results, one for each record, in the records' order."""
        if not isinstance(results, list) or len(results) != expected:
            raise SinkUnavailable("Salesforce's answer has not one result for each record.")
        return results


def _portions(things: Sequence[_Each], size: int) -> Iterator[Sequence[_Each]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]
