"""What each call of HubSpot's API answers, in the forms of its public documentation."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from tests.hubspot.portal import Conflict, Invalid, Missing, Portal, Record

VERSION: Final = "2026-09"
#: Last word of the calls that change objects or associations.
_WRITES: Final = frozenset(
    {"upsert", "update", "create", "archive", "gdpr-delete", "associate", "dissociate"}
)
_MOST: Final = 100
_AT: Final = "2026-11-20T08:45:00.000Z"


@dataclass(slots=True)
class Reply:
    """An answer; a body of None is none at all."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Args:
        name: what it is counted as, such as `contacts/upsert`.
        kind: the type of objects, where it has one.
        rest: further parts of its path.
        params: of its address.
        body: its JSON.
        form: its form.
        token: its bearer token.
        scopes: what the app needs for it.
    """

    name: str
    kind: str = ""
    rest: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it is to change objects or associations."""
        return writes(self.name)


def writes(name: str) -> bool:
    """Whether calls of a name change objects or associations."""
    return name.rpartition("/")[2] in _WRITES


class Fake(Protocol):
    """How the answers are to be."""

    portal: Portal
    multi_status: bool
    conflicts_in_rows: bool
    echoes_traces: bool


def call_of(
    method: str,
    path: str,
    params: Mapping[str, str],
    body: Mapping[str, Any],
    form: Mapping[str, str],
    token: str,
) -> Call:
    """A request by what it asks for."""
    known = (_account_call, _property_call, _object_call, _association_call)
    parts = path.strip("/").split("/")
    asked = next((each for find in known if (each := find(method, parts))), Asked("unknown"))
    name, kind, rest, scopes = asked
    return Call(name, kind, rest, params, body, form, token, scopes)


class Asked(NamedTuple):
    """What a path asks for."""

    name: str
    kind: str = ""
    rest: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


def _account_call(method: str, parts: list[str]) -> Asked | None:
    match method, *parts:
        case "POST", "oauth", str(version), "token" if version == VERSION:
            return Asked("token")
        case "GET", "account-info", str(version), "details" if version == VERSION:
            return Asked("details")
        case "GET", "crm", "owners", str(version) if version == VERSION:
            return Asked("owners", scopes=("crm.objects.owners.read",))
    return None


def _property_call(method: str, parts: list[str]) -> Asked | None:
    match parts:
        case "crm", "properties", version, kind, *rest if version == VERSION:
            may = "read" if method == "GET" or rest == ["batch", "read"] else "write"
            scope = f"crm.schemas.{_scoped(kind)}.{may}"
            return Asked(f"properties/{may}", kind, tuple(rest), (scope,))
    return None


def _object_call(_: str, parts: list[str]) -> Asked | None:
    match parts:
        case "crm", "objects", version, kind, *_, verb if version == VERSION:
            may = "read" if verb in ("read", "search") else "write"
            return Asked(f"{kind}/{verb}", kind, (), (f"crm.objects.{_scoped(kind)}.{may}",))
        case "crm", "v3", "objects", "contacts", "gdpr-delete":
            return Asked("contacts/gdpr-delete", "contacts", (), ("crm.objects.contacts.write",))
    return None


def _association_call(_: str, parts: list[str]) -> Asked | None:
    match parts:
        case "crm", "associations", version, kind, to, "batch", *verb if version == VERSION:
            done = {"associate/default": "associate", "archive": "dissociate"}["/".join(verb)]
            scope = f"crm.objects.{_scoped(kind)}.write"
            return Asked(f"{kind}/{to}/{done}", kind, (to,), (scope,))
    return None


def _scoped(kind: str) -> str:
    """Meetings come under the scopes of contacts."""
    return "contacts" if kind == "meetings" else kind


def answer(fake: Fake, call: Call) -> Reply:
    """Carry a call out."""
    if call.kind and not fake.portal.has_type(call.kind):
        return Reply(
            400, _error("VALIDATION_ERROR", f"Unable to infer object type from: {call.kind}")
        )
    verb = call.name.split("/")[-1]
    if len(call.body.get("inputs", ())) > _MOST:
        return Reply(400, _error("VALIDATION_ERROR", "Inputs are limited to 100."))
    known: dict[str, Callable[[Fake, Call], Reply]] = {
        "details": _details,
        "owners": _owners,
        "search": _search,
        "read": _read_property if call.name.startswith("properties") else _read,
        "write": _write_property,
        "upsert": _write,
        "update": _write,
        "archive": _archive,
        "gdpr-delete": _erase,
        "associate": _associate,
        "dissociate": _dissociate,
    }
    if verb not in known:
        return Reply(404, None)
    return known[verb](fake, call)


# -- account, owners, properties --------------------------------------------------------------


def _details(fake: Fake, _: Call) -> Reply:
    body = {"portalId": fake.portal.id, "accountType": "STANDARD", "timeZone": "Europe/Vienna"}
    return Reply(200, {**body, "uiDomain": "app-eu1.hubspot.com", "dataHostingLocation": "eu1"})


def _owners(fake: Fake, call: Call) -> Reply:
    archived = call.params.get("archived") == "true"
    owners = [each for each in fake.portal.owners if each.archived == archived]
    start, limit = int(call.params.get("after", 0)), int(call.params.get("limit", 100))
    listed = [
        {"id": each.id, "email": each.email, "type": "PERSON", "archived": archived}
        for each in owners[start : start + limit]
    ]
    return Reply(200, {"results": listed, **_paging(start + limit, len(owners))})


def _read_property(fake: Fake, call: Call) -> Reply:
    if call.rest == ("batch", "read"):
        return _read_properties(fake.portal.definitions[call.kind], call)
    definition = fake.portal.definitions[call.kind].get(call.rest[0])
    if definition is None:
        return Reply(404, _error("OBJECT_NOT_FOUND", f"No property {call.rest[0]} exists."))
    return Reply(200, {"name": call.rest[0], **definition})


def _read_properties(definitions: Mapping[str, Mapping[str, Any]], call: Call) -> Reply:
    names = [each["name"] for each in call.body["inputs"]]
    missing = [name for name in names if name not in definitions]
    results = [
        {
            "name": name,
            **definitions[name],
            "modificationMetadata": {"readOnlyValue": bool(definitions[name].get("readOnly"))},
        }
        for name in names
        if name not in missing
    ]
    error = {"category": "OBJECT_NOT_FOUND", "context": {"name": missing}}
    return Reply(207 if missing else 200, _complete(results, [error] if missing else []))


def _write_property(fake: Fake, call: Call) -> Reply:
    name = call.body["name"]
    if call.rest == ("groups",):
        if (call.kind, name) in fake.portal.groups:
            return Reply(409, _error("CONFLICT", f"A group named {name} already exists."))
        fake.portal.groups.add((call.kind, name))
        return Reply(201, call.body)
    if (call.kind, call.body["groupName"]) not in fake.portal.groups:
        return Reply(400, _error("VALIDATION_ERROR", "There is no such group."))
    if name in fake.portal.definitions[call.kind]:
        return Reply(409, _error("CONFLICT", f"A property named {name} already exists."))
    fake.portal.definitions[call.kind][name] = dict(call.body)
    return Reply(201, call.body)


# -- reading --------------------------------------------------------------------------------


def _read(fake: Fake, call: Call) -> Reply:
    name = call.body.get("idProperty")
    if name is not None and name not in fake.portal.definitions[call.kind]:
        return Reply(400, _error("VALIDATION_ERROR", f"Property {name} does not exist."))
    found: dict[str, Record] = {}
    missing = []
    for wanted in (each["id"] for each in call.body["inputs"]):
        record = _wanted(fake.portal, call.kind, name, wanted)
        if record is None:
            missing.append(wanted)
        else:
            found[record.id] = record
    results = [_shown(fake.portal, each, call.body["properties"]) for each in found.values()]
    if not missing:
        return Reply(200, _complete(results))
    text = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
    error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": text}
    return Reply(207, _complete(results, [{**error, "context": {"ids": missing}}]))


def _wanted(portal: Portal, kind: str, name: str | None, value: str) -> Record | None:
    if name is not None:
        return portal.by_value(kind, name, value)
    try:
        return portal.get(kind, value)
    except Missing:
        return None


def _search(fake: Fake, call: Call) -> Reply:
    found: dict[str, Record] = {}
    for group in call.body["filterGroups"]:
        (one,) = group["filters"]
        records = fake.portal.search(call.kind, one["propertyName"], one["values"])
        found |= {record.id: record for record in records}
    start, limit = int(call.body.get("after", 0)), int(call.body.get("limit", 10))
    page = list(found.values())[start : start + limit]
    results = [_shown(fake.portal, each, call.body["properties"]) for each in page]
    paging = _paging(start + limit, len(found))
    return Reply(200, {"total": len(found), "results": results, **paging})


def _paging(after: int, total: int) -> dict[str, Any]:
    return {"paging": {"next": {"after": str(after)}}} if after < total else {}


def _shown(portal: Portal, record: Record, names: Sequence[str]) -> dict[str, Any]:
    properties = {name: portal.shown(record, name) or None for name in [*names, "hs_object_id"]}
    times = {"createdAt": _AT, "updatedAt": _AT}
    return {"id": record.id, "properties": properties, **times, "archived": False}


# -- writing --------------------------------------------------------------------------------


def _write(fake: Fake, call: Call) -> Reply:
    inputs = call.body["inputs"]
    ids = [each["id"] for each in inputs]
    if len(set(ids)) < len(ids):
        return Reply(400, _error("VALIDATION_ERROR", "Duplicate IDs found in batch input."))
    refusal = _refusal(fake, call)
    if refusal is not None:
        return refusal
    results, errors = [], []
    for each in inputs:
        try:
            results.append(_written(fake, call, each))
        except (Conflict, Invalid, Missing) as fault:
            errors.append(_row_error(each, fault))
    return Reply(207 if errors else 200, _complete(results, errors))


def _refusal(fake: Fake, call: Call) -> Reply | None:
    """What refuses the whole batch, looked for before anything is written."""
    inputs = call.body["inputs"]
    traced = fake.multi_status and len({each.get("objectWriteTraceId") for each in inputs}) == len(
        inputs
    )
    for each in inputs:
        try:
            _checked(fake, call, each)
        except Conflict as conflict:
            if not fake.conflicts_in_rows:
                return Reply(409, _error("CONFLICT", str(conflict)))
        except Invalid as invalid:
            if not traced:
                return Reply(400, _invalid(invalid))
        except Missing:
            if not traced:
                return Reply(404, _error("OBJECT_NOT_FOUND", "Object not found."))
    return None


def _checked(fake: Fake, call: Call, each: Mapping[str, Any]) -> None:
    record, properties = _meant(fake, call, each)
    fake.portal.check(call.kind, record, properties)


def _meant(fake: Fake, call: Call, each: Mapping[str, Any]) -> tuple[Record | None, dict[str, str]]:
    """The object that an input is for, and what is to be written of it."""
    properties = dict(each["properties"])
    for value in properties.values():
        assert isinstance(value, str), "property values are strings"
    if call.name.endswith("/upsert"):
        name = each["idProperty"]
        return fake.portal.by_value(call.kind, name, each["id"]), {name: each["id"], **properties}
    follow = fake.portal.follows_merges
    return fake.portal.get(call.kind, each["id"], follow=follow), properties


def _written(fake: Fake, call: Call, each: Mapping[str, Any]) -> dict[str, Any]:
    record, properties = _meant(fake, call, each)
    is_new = record is None
    record = fake.portal.write(call.kind, None if record is None else record.id, properties)
    result = _shown(fake.portal, record, list(properties))
    if call.name.endswith("/upsert"):
        result["new"] = is_new
    if fake.echoes_traces:
        result["objectWriteTraceId"] = each.get("objectWriteTraceId")
    return result


def _row_error(each: Mapping[str, Any], fault: Exception) -> dict[str, Any]:
    context: dict[str, list[str]] = {"objectWriteTraceId": [each["objectWriteTraceId"]]}
    if isinstance(fault, Conflict):
        error = {"category": "CONFLICT", "message": str(fault)}
        context["existingId"] = [fault.existing]
    elif isinstance(fault, Invalid):
        error = {"category": "VALIDATION_ERROR", "message": _message(fault)}
    else:
        error = {"category": "OBJECT_NOT_FOUND", "message": "Object not found."}
        context["ids"] = [each["id"]]
    return {"status": "error", **error, "context": context}


def _invalid(fault: Invalid) -> dict[str, Any]:
    return {**_error("VALIDATION_ERROR", _message(fault)), "errors": fault.details}


def _message(fault: Invalid) -> str:
    """HubSpot puts the details into the message, as JSON."""
    listed = [
        {
            "isValid": False,
            "message": detail["message"],
            "error": detail["code"],
            "name": detail["context"]["propertyName"][0],
        }
        for detail in fault.details
    ]
    return f"Property values were not valid: {json.dumps(listed, separators=(',', ':'))}"


def _erase(fake: Fake, call: Call) -> Reply:
    assert "idProperty" not in call.body, "by id: an unknown address would be blocked for ever"
    try:
        fake.portal.erase(call.body["objectId"])
    except Missing:
        return Reply(404, _error("OBJECT_NOT_FOUND", "Object not found."))
    return Reply(204)


def _archive(fake: Fake, call: Call) -> Reply:
    for each in call.body["inputs"]:
        if _wanted(fake.portal, call.kind, None, each["id"]) is not None:
            fake.portal.archive(call.kind, each["id"])
    return Reply(204)


# -- associations -----------------------------------------------------------------------------


def _associate(fake: Fake, call: Call) -> Reply:
    (to,) = call.rest
    results, errors = [], []
    for each in call.body["inputs"]:
        pair = each["from"]["id"], each["to"]["id"]
        missing = list(_absent(fake.portal, call.kind, to, pair))
        errors += missing
        if not missing:
            fake.portal.associations.add((call.kind, *pair))
            results += [
                {"from": {"id": start}, "to": {"id": end}} for start, end in (pair, pair[::-1])
            ]
    return Reply(207 if errors else 200, _complete(results, errors))


def _absent(portal: Portal, kind: str, to: str, pair: tuple[str, str]) -> Iterator[dict[str, Any]]:
    sides = (("FROM", "fromObjectId", kind), ("TO", "toObjectId", to))
    for value, (word, name, each) in zip(pair, sides, strict=True):
        try:
            portal.get(each, value, follow=False)
        except Missing:
            yield {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "subCategory": f"crm.associations.{word}_OBJECT_NOT_FOUND",
                "message": f"No {each} with ID {value} exists.",
                "context": {name: [value]},
            }


def _dissociate(fake: Fake, call: Call) -> Reply:
    for each in call.body["inputs"]:
        for to in each["to"]:
            fake.portal.associations.discard((call.kind, each["from"]["id"], to["id"]))
    return Reply(204)


def _complete(
    results: Sequence[Mapping[str, Any]], errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "COMPLETE", "results": list(results)}
    if errors:
        body |= {"numErrors": len(errors), "errors": list(errors)}
    return {**body, "startedAt": _AT, "completedAt": _AT}


def _error(category: str, message: str) -> dict[str, Any]:
    return {"status": "error", "message": message, "category": category}
