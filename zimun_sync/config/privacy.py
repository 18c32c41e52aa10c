"""The `privacy` settings: what a sink is not shown, and the keys of hashes."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from zimun_sync.model import APPOINTMENTS, DERIVED, LINEAGE, Column, Stream
from zimun_sync.privacy import LEAST_BYTES, OPEN, Guard, HashKey, Policies, Policy, fits
from zimun_sync.sinks import KnowsPeople

PolicyName = Literal["allow", "drop", "mask", "hash"]
#: Where something is wrong, below a sink's `privacy`, and what.
Problem = tuple[tuple[str, ...], str]

_MAKE_ONE: Final = "make one with `openssl rand -hex 32`"
_MOST_DIGITS: Final = 4
_LINEAGE: Final = frozenset(column.name for column in LINEAGE)


class _Section(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KeySettings(_Section):
    """One key of hashes."""

    secret: SecretStr = Field(description=f"At least {LEAST_BYTES} bytes; {_MAKE_ONE}.")


def _shape(value: Any) -> str:
    return "section" if isinstance(value, dict | KeySettings) else "secret"


#: A key may be given as itself.
Key = Annotated[
    Annotated[SecretStr, Tag("secret")] | Annotated[KeySettings, Tag("section")],
    Discriminator(_shape),
]


def _check_keys(value: dict[str, Key]) -> dict[str, Key]:
    for version, key in value.items():
        if not version.isdecimal() or version.startswith("0") or len(version) > _MOST_DIGITS:
            raise ValueError(f"should number its keys 1, 2, …; {version!r} is no such number")
        if len(_secret(key)) < LEAST_BYTES:
            raise ValueError(f"key {version} is shorter than {LEAST_BYTES} bytes; {_MAKE_ONE}")
    return value


def _secret(key: SecretStr | KeySettings) -> bytes:
    given = key.secret if isinstance(key, KeySettings) else key
    return given.get_secret_value().strip().encode()


class PrivacySettings(_Section):
    """The keys with which sinks' `privacy` hashes."""

    keys: Annotated[dict[str, Key], AfterValidator(_check_keys)] = Field(
        default={},
        description="Keys of hashes by number: a secret, or a section with `secret` or "
        f"`secret_file`. At least {LEAST_BYTES} bytes; {_MAKE_ONE}.",
        examples=[{"1": "${ZIMUN_HASH_KEY}"}],
    )
    hash_key: str | None = Field(
        default=None,
        description="Number of the key to hash with; by default the greatest. With another one "
        "every sink that hashes is given everything anew.",
    )

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.hash_key is not None and self.hash_key not in self.keys:
            known = ", ".join(self.keys) or "none"
            raise ValueError(f"hash_key {self.hash_key} is not among the keys (there are {known})")
        return self

    @property
    def key(self) -> HashKey | None:
        """The key to hash with, where there is one."""
        version = self.hash_key or max(self.keys, key=int, default=None)
        return None if version is None else HashKey(version, _secret(self.keys[version]))


class SinkPrivacySettings(_Section):
    """What a sink is not shown."""

    personal: PolicyName = Field(
        default="allow",
        description="What the sink is shown of personal columns that are not named below, "
        "promoted ones included: `allow` the value, `drop` null, `mask` a little of it, `hash` "
        "what is equal for equal values. What cannot be masked or hashed is dropped.",
    )
    columns: dict[str, dict[str, PolicyName]] = Field(
        default={},
        description="The same for single columns, personal or not, by stream and column. Those of "
        "`appointments` count for `appointment_versions` too.",
        examples=[{"appointments": {"contact_email": "hash", "notes": "drop"}}],
    )

    @property
    def policies(self) -> Policies:
        """The same as the engine applies it."""
        columns = {
            stream: {name: Policy(policy) for name, policy in given.items()}
            for stream, given in self.columns.items()
        }
        return Policies(Policy(self.personal), columns)


def guard_of(
    settings: SinkPrivacySettings, key: HashKey | None, streams: Mapping[str, Stream]
) -> Guard:
    """What hides from a sink what its settings say.

    Args:
        settings: of the sink, without `problems`.
        key: to hash with.
        streams: every stream by name, with the columns that the configuration promotes.
    """
    guard = Guard(settings.policies, key, streams)
    return guard if guard.hidden else OPEN


def problems(
    settings: SinkPrivacySettings,
    sink: BaseModel,
    key: HashKey | None,
    streams: Mapping[str, Stream],
) -> Iterator[Problem]:
    """What is wrong with a sink's settings.

    Args:
        settings: its `privacy`.
        sink: its connector's own settings.
        key: to hash with.
        streams: every stream by name, with the columns that the configuration promotes.
    """
    yield from _misnamed(settings, streams)
    policies = settings.policies
    hidden = {name: policies.of(stream) for name, stream in streams.items()}
    if key is None and any(Policy.HASH in columns.values() for columns in hidden.values()):
        text = f"to hash takes a key: {_MAKE_ONE}, and give it as `1` in privacy.keys"
        yield (), text
    of_people = hidden[APPOINTMENTS.name]
    unknowable = [
        column for column in _known_by(sink) if of_people.get(column) in (Policy.MASK, Policy.HASH)
    ]
    if unknowable:
        named = ", ".join(f"{column}: allow" for column in unknowable)
        text = (
            f"it knows people by {' and '.join(unknowable)}, and finds nobody by what is masked or "
            f"hashed; use allow or drop, such as columns: {{appointments: {{{named}}}}}"
        )
        yield (), text


def knows_nobody(guard: Guard, sink: BaseModel) -> bool:
    """Whether every column is dropped by which a sink would know people."""
    hidden = guard.hidden.get(APPOINTMENTS.name, {})
    by = _known_by(sink)
    return bool(by) and all(hidden.get(column) is Policy.DROP for column in by)


def _known_by(sink: BaseModel) -> tuple[str, ...]:
    return sink.known_by if isinstance(sink, KnowsPeople) else ()


def _misnamed(settings: SinkPrivacySettings, streams: Mapping[str, Stream]) -> Iterator[Problem]:
    for name, given in settings.columns.items():
        place = ("columns", name)
        if name in DERIVED:
            yield place, "its columns follow those of appointments; name them there"
        elif name not in streams:
            yield place, f"no such stream ({_near(name, [*streams.keys() - DERIVED])})"
        else:
            for column, policy in given.items():
                text = _objection(streams[name], column, Policy(policy))
                if text:
                    yield (*place, column), text


def _objection(stream: Stream, name: str, policy: Policy) -> str:
    """What speaks against a column's policy; empty if nothing does."""
    if name == stream.key or name in _LINEAGE:
        return "records are known by it, so every sink gets it as it is"
    column = next((each for each in stream.filled if each.name == name), None)
    if column is None:
        known = (each.name for each in stream.filled if each.name != stream.key)
        return f"no such column ({_near(name, known)})"
    return "" if fits(policy, column.type) else _misfit(column, policy)


def _misfit(column: Column, policy: Policy) -> str:
    kind = column.type.value.replace("_", " ")
    return f"{policy} takes text or JSON, and this column is of type {kind}; use drop"


def _near(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
