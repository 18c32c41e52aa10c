"""The JSON schema of a configuration file, for editors."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel

from zimun_sync.config.models import NAME_PATTERN, FileSettings
from zimun_sync.config.privacy import SinkPrivacySettings
from zimun_sync.sinks import connector, connectors

_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}
#: What stays beside a setting's alternatives rather than within one of them.
_NOTES: Final = ("description", "default", "examples")


def schema(types: Iterable[str] | None = None) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the whole file, its sinks' sections included.

    Args:
        types: connectors to include; by default every installed one.

    Raises:
        ConfigError: a library that one of the connectors needs is missing.
    """
    kinds = sorted(connectors() if types is None else types)
    result = _model_schema(FileSettings, "#/$defs/{model}")
    result["$defs"]["SinkPrivacy"] = _model_schema(SinkPrivacySettings, "#/$defs/{model}")
    for kind in kinds:
        result["$defs"] |= _connector_definitions(kind)
    _by_name(result["properties"]["sources"], {"$ref": "#/$defs/SourceSettings"})
    _by_name(result["properties"]["sinks"], _any_sink(kinds))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zimun-sync configuration",
        **result,
    }


def _by_name(group: dict[str, Any], section: dict[str, Any]) -> None:
    """Name what is wrong with a name, rather than let it match no pattern."""
    group.pop("patternProperties", None)
    group["propertyNames"] = {"pattern": NAME_PATTERN}
    group["additionalProperties"] = section


def _any_sink(kinds: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": kinds, "description": "The connector."}},
        "allOf": [
            {
                "if": {"properties": {"type": {"const": kind}}},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in kinds
        ],
    }


def _connector_definitions(kind: str) -> dict[str, Any]:
    section = _model_schema(connector(kind).settings, f"#/$defs/{kind}.{{model}}")
    inner = section.pop("$defs", {})
    section["properties"]["type"] = {"const": kind, "description": "The connector."}
    section["properties"]["privacy"] = {"$ref": "#/$defs/SinkPrivacy"}
    return {kind: section} | {f"{kind}.{name}": value for name, value in inner.items()}


def _model_schema(model: type[BaseModel], reference: str) -> dict[str, Any]:
    section = model.model_json_schema(ref_template=reference)
    for definition in section.get("$defs", {}).values():
        _as_in_a_file(definition)
    _as_in_a_file(section)
    return section


def _as_in_a_file(section: dict[str, Any]) -> None:
    """Allow for `${VAR}` in place of any value, `X_file` and `X_command` in place of X."""
    properties = section.get("properties", {})
    section["properties"] = {name: _with_reference(value) for name, value in properties.items()}
    section.pop("title", None)
    single = sorted(name for name, value in properties.items() if _may_be_a_file(value))
    if single:
        section["patternProperties"] = {
            f"^({'|'.join(single)})_file$": {
                "type": "string",
                "description": "A file that holds the value, relative to this file's folder.",
            },
            f"^({'|'.join(single)})_command$": {
                "type": ["array", "string"],
                "items": {"type": "string"},
                "minItems": 1,
                "description": "A program and its arguments; what it prints is the value.",
            },
        }
    required = section.pop("required", [])
    if required:
        section["allOf"] = [{"anyOf": _ways_to_give(name, name in single)} for name in required]


def _ways_to_give(name: str, single: bool) -> list[dict[str, Any]]:
    ways = [name, f"{name}_file", f"{name}_command"] if single else [name]
    return [{"required": [way]} for way in ways]


def _with_reference(value: dict[str, Any]) -> dict[str, Any]:
    value = {key: item for key, item in value.items() if key != "title"}
    if value.get("type") == "array":
        value["items"] = _with_reference(value["items"])
    if not _is_single(value) or _is_plain_text(value):
        return value
    notes = {key: value.pop(key) for key in _NOTES if key in value}
    return {"anyOf": [*value.pop("anyOf", []), *([value] if value else []), _REFERENCE]} | notes


def _is_single(value: dict[str, Any]) -> bool:
    """Whether a setting is one value rather than a list or a section."""
    choices = value.get("anyOf", [value])
    kinds = {choice.get("type") for choice in choices}
    return not kinds & {"array", "object"} and not any("$ref" in choice for choice in choices)


def _may_be_a_file(value: dict[str, Any]) -> bool:
    return _is_single(value) and "const" not in value


def _is_plain_text(value: dict[str, Any]) -> bool:
    return value.get("type") == "string" and not {"enum", "const", "pattern"} & value.keys()
