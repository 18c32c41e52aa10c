"""Calls of HubSpot's API, and what their answers say of the account rather than of rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from zimun_connectors.hubspot.troubles import Trouble, row_troubles, trouble_of
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.calls import Answer, Caller, Request

#: Name of the limit that searches count against beside the app's.
SEARCH: Final = "search"

#: Documented for this version only.
_ERASE: Final = "/crm/v3/objects/contacts/gdpr-delete"

_FORBIDDEN, _NOT_FOUND, _LOCKED, _MOVING = 403, 404, 423, 477
#: Answers that refuse what was sent: malformed, in conflict, too much, not valid.
_REFUSALS: Final = frozenset({400, 404, 409, 413, 414, 422})
#: Seconds that HubSpot asks to wait when an account is locked.
_LOCKED_SECONDS: Final = 2.0
_OBJECT_HINT: Final = (
    "Check `object` and `api_version`. The appointments object has to be activated in the "
    "portal (Data Management, Data Model)."
)


class Api:
    """One portal's API.

    Args:
        caller: sends the requests.
        version: the date-versioned API that is spoken.
    """

    def __init__(self, caller: Caller, version: str) -> None:
        self._caller = caller
        self._version = version

    def details(self) -> Mapping[str, Any]:
        """Whose portal it is."""
        return self._got(f"/account-info/{self._version}/details")

    def owners(self, *, archived: bool, after: str | None) -> Mapping[str, Any]:
        """A page of the portal's owners."""
        params = {"limit": "500", "archived": str(archived).lower()}
        if after is not None:
            params["after"] = after
        return self._got(f"/crm/owners/{self._version}", params)

    def property(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The definition of a property of an object type; None if there is none."""
        request = Request("GET", f"{self._properties(kind)}/{name}")
        answer = self._call(request, may_be_missing=True)
        return None if answer.status == _NOT_FOUND else _taken(answer)

    def properties(self, kind: str, names: Iterable[str]) -> list[Mapping[str, Any]]:
        """Definitions of those of the properties that an object type has."""
        body = {"archived": False, "inputs": [{"name": name} for name in names]}
        answer = self._call(Request("POST", f"{self._properties(kind)}/batch/read", json=body))
        return list(_taken(answer).get("results") or [])

    def make_group(self, kind: str, group: Mapping[str, Any]) -> Answer:
        """Create a group of properties; a refusal is the caller's to judge."""
        return self._call(Request("POST", f"{self._properties(kind)}/groups", json=group))

    def make_property(self, kind: str, definition: Mapping[str, Any]) -> Answer:
        """Create a property; a refusal is the caller's to judge."""
        return self._call(Request("POST", self._properties(kind), json=definition))

    def batch(self, kind: str, verb: str, body: Mapping[str, Any]) -> Answer:
        """A batch call on objects; a refusal is the caller's to judge."""
        path = f"/crm/objects/{self._version}/{kind}/batch/{verb}"
        return self._call(Request("POST", path, json=body))

    def erase_contact(self, contact_id: str) -> Answer:
        """Delete a contact for good (GDPR); a refusal, or that it is gone, is the caller's.

        By its id: an e-mail address that no contact has would be put on a blocklist.
        """
        request = Request("POST", _ERASE, json={"objectId": contact_id})
        return self._call(request, may_be_missing=True)

    def search(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of a search. Its index lags behind what is written."""
        path = f"/crm/objects/{self._version}/{kind}/search"
        return _taken(self._call(Request("POST", path, json=body, group=SEARCH)))

    def associations(
        self, kinds: tuple[str, str], verb: str, inputs: Sequence[Mapping[str, Any]]
    ) -> Answer:
        """A batch call on associations; a refusal is the caller's to judge."""
        start, end = kinds
        path = f"/crm/associations/{self._version}/{start}/{end}/batch/{verb}"
        return self._call(Request("POST", path, json={"inputs": inputs}))

    def _properties(self, kind: str) -> str:
        return f"/crm/properties/{self._version}/{kind}"

    def _got(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return _taken(self._call(Request("GET", path, params=params or {})))

    def _call(self, request: Request, *, may_be_missing: bool = False) -> Answer:
        """The answer to a call that HubSpot took or refused for what was in it."""
        answer = self._caller.call(request)
        if answer.ok or (may_be_missing and answer.status == _NOT_FOUND):
            return answer
        trouble = trouble_of(answer)
        where = f"{request.method} {request.path}"
        if answer.status == _FORBIDDEN:
            raise _forbidden(where, trouble)
        if answer.status in (_LOCKED, _MOVING):
            raise SinkUnavailable(
                f"HubSpot answered {answer.status} to {where}: {trouble.message}",
                retry_after=_wait(answer),
            )
        if answer.status not in _REFUSALS or _is_no_object(answer, trouble):
            raise SinkBroken(
                f"HubSpot answered {answer.status} to {where}: {trouble.message}",
                hint=_OBJECT_HINT,
            )
        return answer


def results_of(answer: Answer) -> list[Mapping[str, Any]]:
    """What an answer of a batch lists as done or found; none where it has no body (204)."""
    return _listed(answer)[0]


def troubles_of(answer: Answer) -> list[Trouble]:
    """Errors of single rows in an answer of a batch."""
    return _listed(answer)[1]


def _listed(answer: Answer) -> tuple[list[Mapping[str, Any]], list[Trouble]]:
    if not answer.body:
        return [], []
    body = answer.json()
    return list(body.get("results") or []), row_troubles(body)


def refuse_unknown(troubles: Sequence[Trouble], kind: str) -> None:
    """Raise SinkBroken if the mapping names a property that the portal does not have.

    Every row has the same mapping: rejecting row after row would hide the one cause.
    """
    names = sorted({name for trouble in troubles for name in trouble.unknown_properties})
    if names:
        raise lacks(names, kind)


def lacks(names: Sequence[str], kind: str) -> SinkBroken:
    """The error for properties that the portal does not have."""
    return SinkBroken(
        f"The portal has no property {', '.join(map(repr, names))} of {kind}.",
        hint="Create it in HubSpot (Settings, Properties), or take it out of the mapping "
        f"(`fields: {{{names[0]}: null}}`); then `zimun-sync resume SINK`.",
    )


def _taken(answer: Answer) -> Mapping[str, Any]:
    """The body of an answer to a call that HubSpot has no reason to refuse."""
    if not answer.ok:
        trouble = trouble_of(answer)
        raise SinkBroken(
            f"HubSpot refused a call of ours ({answer.status}): {trouble.message}",
            hint="Check `api_version`; if it is right, please report this.",
        )
    body: Mapping[str, Any] = answer.json()
    return body


def _forbidden(where: str, trouble: Trouble) -> SinkBroken:
    if not trouble.scopes:
        return SinkBroken(
            f"HubSpot forbids {where}: {trouble.message}",
            hint="Compare the app's scopes with those in docs/connectors/hubspot.md.",
        )
    return SinkBroken(
        f"The HubSpot app lacks a scope for {where}: one of {', '.join(trouble.scopes)}.",
        hint="Add it to the app (Settings, Integrations), then `zimun-sync resume SINK`.",
    )


def _is_no_object(answer: Answer, trouble: Trouble) -> bool:
    """Whether the address itself is unknown, not something that was named in the body."""
    nameless = answer.status == _NOT_FOUND and not trouble.is_missing
    return nameless or trouble.message.startswith("Unable to infer object type")


def _wait(answer: Answer) -> float:
    """Seconds that the answer asks to wait."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else _LOCKED_SECONDS
