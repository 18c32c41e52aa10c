"""What a configuration says of one request, and of what its answer means."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PositiveInt,
    WithJsonSchema,
)

from zimun_sync.remotes.expressions import ExpressionError, compile_expression, compile_template
from zimun_sync.remotes.settings import Section


def _template(text: str) -> str:
    compile_template(text)
    return text


def _expression(text: str) -> str:
    compile_expression(text)
    return text


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a structure with its place in it, such as `params[0].name`."""
    match value:
        case str():
            yield place, value
        case Mapping():
            for key, each in value.items():
                yield from leaves(each, f"{place}.{key}" if place else str(key))
        case list() | tuple():
            for number, each in enumerate(value):
                yield from leaves(each, f"{place}[{number}]")


def _structure(value: Any) -> Any:
    for place, text in leaves(value):
        try:
            compile_template(text)
        except ExpressionError as error:
            msg = f"{place}: {error}" if place else str(error)
            raise ValueError(msg) from None
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


class _OneOrSeveral:
    """In the JSON schema: a list, or its only entry by itself."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> Any:
        several = handler(core)
        return {"anyOf": [several["items"], several]}


#: Text that may hold `{{ expressions }}`.
Text = Annotated[str, AfterValidator(_template)]
#: An expression, without `{{ }}` around it.
Expression = Annotated[str, AfterValidator(_expression)]
_KINDS: Final = ("object", "array", "string", "number", "boolean", "null")
#: Any YAML.
Anything = Annotated[Any, WithJsonSchema({"anyOf": [{"type": kind} for kind in _KINDS]})]
#: YAML whose texts may hold `{{ expressions }}`; one that is a single expression gives its value.
Structure = Annotated[Anything, AfterValidator(_structure)]


class ErrorSettings(Section):
    """Where a refusal says what is wrong."""

    code: Expression | None = Field(
        default=None, description="The system's word for it; by default `http-` and the status."
    )
    message: Expression | None = Field(
        default=None, description="The system's own words; by default what the body says."
    )


class RequestSettings(Section):
    """One HTTP request and how its answer is judged."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="POST", description="HTTP method."
    )
    path: Text = Field(
        default="", description="Path below `base_url`; what expressions give is percent-encoded."
    )
    params: dict[str, Text] = Field(
        default={}, description="Query parameters; one that comes out empty is left out."
    )
    headers: dict[str, Text] = Field(
        default={}, description="Further headers; one that comes out empty is left out."
    )
    body: Structure = Field(default=None, description="JSON body; by default none.")
    group: str = Field(default="", description="Name of a limit that it counts against too.")
    batch: PositiveInt = Field(default=1, description="Most rows that one request takes.")
    when: Expression | None = Field(
        default=None, description="Send it only for rows for which this is true."
    )
    keep: dict[str, Expression] = Field(
        default={}, description="Names for later requests, each with where the answer has it."
    )
    success: Expression = Field(
        default="200 <= status < 300", description="Whether the request as a whole succeeded."
    )
    unavailable: Expression | None = Field(
        default=None, description="Whether the system says: not now. It is asked again later."
    )
    broken: Expression | None = Field(
        default="status == 403",
        description="Whether a person has to act (rights, a missing field). The sink is parked.",
    )
    error: ErrorSettings = Field(
        default=ErrorSettings(), description="Where a refusal says what is wrong."
    )
    results: Expression | None = Field(
        default=None,
        description="The list, or mapping, of results in the answer; by default the body.",
    )
    id: Expression | None = Field(default=None, description="A result's id; `result.id`.")
    version: Expression | None = Field(default=None, description="A result's revision, if any.")


class LookupSettings(RequestSettings):
    """A request that looks objects up."""

    value: Expression | None = Field(
        default=None,
        description="Which of the values looked for a result has; needed with `batch`.",
    )
    none: Expression = Field(
        default="status in (404, 410)", description="Whether the answer means: nothing found."
    )
    next: Expression | None = Field(
        default=None, description="The `cursor` of the next page; empty after the last one."
    )
    lags: bool = Field(
        default=False,
        description="Whether it may miss what was written a moment ago: it is then not relied "
        "on to tell whether a create arrived.",
    )


class OwnerLookupSettings(LookupSettings):
    """A request that looks users up."""

    active: Expression = Field(
        default="true", description="Whether a user can be given appointments."
    )


class WriteSettings(RequestSettings):
    """A request that writes."""

    row: Structure = Field(
        default=None, description="What stands for one row in `rows`; with `batch`."
    )
    match: Expression | None = Field(
        default=None,
        description="By what a row finds its result, if results do not come in the rows' order: "
        "its key in a mapping of results, or what `matched` says of one in a list.",
    )
    matched: Expression | None = Field(
        default=None, description="What a result in a list says of the row it belongs to."
    )
    failed: Expression | None = Field(
        default=None, description="Whether a result is a refusal although the request succeeded."
    )
    gone: Expression | None = Field(
        default=None,
        description="Whether the object is not there any more; by default status 404 and 410, "
        "except for creates.",
    )
    stale: Expression | None = Field(
        default="status == 412", description="Whether it was changed since `version`."
    )
    exists: Expression | None = Field(
        default=None, description="Whether a create met one with the same key."
    )
    existing_id: Expression | None = Field(
        default=None, description="The id of that one, where the answer tells."
    )
    safe: bool = Field(
        default=False,
        description="Whether repeating it with the same `key` and `token` doubles nothing.",
    )


Lookups = Annotated[tuple[LookupSettings, ...], BeforeValidator(_as_list), _OneOrSeveral()]
OwnerLookups = Annotated[
    tuple[OwnerLookupSettings, ...], BeforeValidator(_as_list), _OneOrSeveral()
]
Writes = Annotated[tuple[WriteSettings, ...], BeforeValidator(_as_list), _OneOrSeveral()]
