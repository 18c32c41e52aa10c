"""Calls to one Salesforce organization: signed in, within its limits, judged."""

import re
from collections.abc import Mapping
from typing import Any, Final

from zimun_connectors.salesforce.failures import LIMIT_PAUSE, judged
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.calls import Answer, Caller, Request
from zimun_sync.remotes.contract import BatchRefused
from zimun_sync.remotes.limits import Budget

_NOT_FOUND: Final = 404
_USAGE: Final = re.compile(r"\bapi-usage=(\d+)/(\d+)")


def daily_budget(headers: Mapping[str, str]) -> Budget:
    """What an answer says of the organization's calls of the last 24 hours."""
    found = _USAGE.search(headers.get("sforce-limit-info", ""))
    if found is None:
        return Budget()
    used, most = int(found[1]), int(found[2])
    left = max(most - used, 0)
    return Budget(daily_remaining=left, daily_limit=most, daily_resets_in=LIMIT_PAUSE)


class Org:
    """An organization one is signed in to.

    Args:
        caller: authorized, at the organization's address.
        version: of the API, as `67.0`.
    """

    def __init__(self, caller: Caller, version: str) -> None:
        self._caller = caller
        self._base = f"services/data/v{version}/"

    def call(self, method: str, path: str, what: str, **more: Any) -> Answer:
        """Send a request.

        Args:
            method: HTTP method.
            path: below the version's address.
            what: what is asked for, for messages.
            more: as in `Request`.

        Raises:
            SinkUnavailable, SinkBroken, BatchRefused: see `judged`.
        """
        return self._send(Request(method, self._base + path, **more), what)

    def read(self, method: str, path: str, what: str, **more: Any) -> Answer:
        """Send a request that only reads; arguments as of `call`.

        Raises:
            SinkUnavailable, SinkBroken: see `judged`.
        """
        return self._read(Request(method, self._base + path, **more), what)

    def state(self, path: str, what: str) -> Any:
        """What a resource below the version's address says; None if it is not there.

        Raises:
            SinkUnavailable, SinkBroken: see `judged`.
        """
        answer = self._caller.call(Request("GET", self._base + path))
        return None if answer.status == _NOT_FOUND else judged(answer, what).json()

    def query(self, soql: str, what: str, *, everything: bool = False) -> list[dict[str, Any]]:
        """Every record that a query finds.

        Args:
            soql: the query.
            what: what is asked for, for messages.
            everything: deleted, merged and archived records too.

        Raises:
            SinkUnavailable, SinkBroken: see `judged`.
        """
        path = self._base + ("queryAll" if everything else "query")
        page = self._read(Request("GET", path, params={"q": soql}), what).json()
        records: list[dict[str, Any]] = page["records"]
        while not page["done"]:
            page = self._read(Request("GET", page["nextRecordsUrl"]), what).json()
            records += page["records"]
        return records

    def count(self, soql: str, what: str) -> int:
        """How many records a `SELECT COUNT()` counts.

        Raises:
            SinkUnavailable, SinkBroken: see `judged`.
        """
        request = Request("GET", self._base + "query", params={"q": soql})
        return int(self._read(request, what).json()["totalSize"])

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _read(self, request: Request, what: str) -> Answer:
        try:
            return self._send(request, what)
        except BatchRefused as refusal:
            raise SinkBroken(
                f"Salesforce refuses to read ({what}): {refusal.code}: {refusal.message}",
                hint="Check the mapping's field names and the sink's settings.",
            ) from refusal

    def _send(self, request: Request, what: str) -> Answer:
        return judged(self._caller.call(request), what)
