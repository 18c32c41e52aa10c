"""The properties that are written in a portal: ours made, those of the mapping looked for."""

from collections.abc import Mapping
from typing import Any, Final

from zimun_connectors.hubspot.api import Api, lacks
from zimun_connectors.hubspot.config import HubspotSettings
from zimun_connectors.hubspot.defaults import defaults
from zimun_connectors.hubspot.troubles import trouble_of
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.calls import Answer
from zimun_sync.remotes.contract import Kind

_GROUP: Final = {"name": "zimun", "label": "Zimun", "displayOrder": -1}
_CONFLICT: Final = 409
_TEXT: Final = {"groupName": _GROUP["name"], "type": "string", "fieldType": "text"}


def prepare(api: Api, settings: HubspotSettings) -> None:
    """Make sure that contacts and appointments have our key, and the mark if there is one.

    Raises:
        SinkBroken: one cannot be made, or what is there cannot serve.
    """
    for kind in Kind:
        object_type = settings.object_type(kind)
        _prepare(api, object_type, _key_definition(settings))
        if settings.source_property is not None:
            _prepare(api, object_type, _mark_definition(settings.source_property))


def check(api: Api, settings: HubspotSettings) -> None:
    """See that every property of the mapping is there and can be written. Writes nothing.

    Raises:
        SinkBroken: one is not, or cannot be.
    """
    for kind in Kind:
        object_type = settings.object_type(kind)
        names = _mapped(settings, kind)
        present = {each["name"]: each for each in api.properties(object_type, names)}
        missing = [name for name in names if name not in present]
        if missing:
            raise lacks(missing, object_type)
        read_only = [name for name in names if _is_read_only(present[name])]
        if read_only:
            raise SinkBroken(
                f"HubSpot's property {read_only[0]!r} of {object_type} cannot be written.",
                hint=f"Take it out of the mapping: `fields: {{{read_only[0]}: null}}`.",
            )


def _mapped(settings: HubspotSettings, kind: Kind) -> list[str]:
    """Names of the properties that the mapping fills, but for those that are made here."""
    own, section = defaults(settings), settings.appointment
    names = {*own.appointment, own.owner_field or ""}
    if kind is Kind.CONTACT:
        names, section = {*own.contact}, settings.contact
    taken_out = {name for name, spec in section.fields.items() if spec is None}
    made = {settings.key_property, settings.source_property}
    return sorted((names | section.fields.keys()) - taken_out - made)


def _is_read_only(definition: Mapping[str, Any]) -> bool:
    return bool((definition.get("modificationMetadata") or {}).get("readOnlyValue"))


def _key_definition(settings: HubspotSettings) -> dict[str, Any]:
    return {
        **_TEXT,
        "name": settings.key_property,
        "label": "Zimun key",
        "description": "Identifies what zimun-sync writes. Do not edit.",
        "hasUniqueValue": True,
    }


def _mark_definition(name: str) -> dict[str, Any]:
    return {
        **_TEXT,
        "name": name,
        "label": "Zimun source",
        "description": "Filled in what zimun-sync created, for workflows to leave out.",
    }


def _prepare(api: Api, kind: str, definition: dict[str, Any]) -> None:
    present = api.property(kind, definition["name"])
    if present is None:
        _expect_made(api.make_group(kind, _GROUP), f"the group {_GROUP['name']!r}", kind)
        made = api.make_property(kind, definition)
        _expect_made(made, f"the property {definition['name']!r}", kind)
    elif definition.get("hasUniqueValue") and not present.get("hasUniqueValue"):
        raise SinkBroken(
            f"HubSpot's property {definition['name']!r} of {kind} does not hold unique values.",
            hint="Choose another `key_property`, which is then created, or delete that property.",
        )


def _expect_made(answer: Answer, what: str, kind: str) -> None:
    """A conflict says that it is there already: two sinks may begin at the same time."""
    if not answer.ok and answer.status != _CONFLICT:
        raise SinkBroken(
            f"HubSpot did not make {what} of {kind}: {trouble_of(answer).message}",
            hint="An object can have ten properties with unique values; or create it by hand, as "
            "docs/connectors/hubspot.md says.",
        )
