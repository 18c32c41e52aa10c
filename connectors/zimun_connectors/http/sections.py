"""The parts of an `http` section: authorization, account, objects, owners, spelling, limits."""

from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from zimun_connectors.http.requests import (
    Anything,
    Expression,
    Lookups,
    LookupSettings,
    OwnerLookups,
    Structure,
    Writes,
)
from zimun_sync.remotes.settings import ObjectSettings, OwnerSettings, Section

FieldType = Literal["instant", "date", "boolean", "reference"]

_TAKES: Final = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username", "password"),
    "header": ("name", "value"),
    "oauth2": ("token_url", "client_id", "client_secret"),
}


class AuthSettings(Section):
    """How requests are authorized."""

    type: Literal["none", "bearer", "basic", "header", "oauth2"] = Field(
        default="none",
        description="`bearer` takes `token`; `basic` takes `username` and `password`; `header` "
        "takes `name` and `value`; `oauth2` (client credentials) takes `token_url`, `client_id` "
        "and `client_secret`.",
    )
    token: SecretStr | None = Field(default=None, description="Access token or API key.")
    username: str | None = Field(default=None, description="User name.")
    password: SecretStr | None = Field(default=None, description="Password.")
    name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]+$", description="Name of the header with the key."
    )
    value: SecretStr | None = Field(default=None, description="Value of that header.")
    token_url: str | None = Field(default=None, description="Address of the token endpoint.")
    client_id: str | None = Field(default=None, description="Client id.")
    client_secret: SecretStr | None = Field(default=None, description="Client secret.")
    client_auth: Literal["basic", "post"] = Field(
        default="basic",
        description="Where client id and secret go: `basic`, a header; `post`, the form.",
    )
    extra: dict[str, str] = Field(
        default={}, description="Further fields of the token request, such as `scope`."
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        wanted = _TAKES[self.type]
        given = {name for names in _TAKES.values() for name in names if getattr(self, name)}
        missing = [name for name in wanted if name not in given]
        if missing:
            raise ValueError(f"type {self.type} takes {' and '.join(wanted)}: add {missing[0]}")
        surplus = sorted(given.difference(wanted))
        if surplus:
            raise ValueError(f"type {self.type} does not take {surplus[0]}; correct the type")
        return self

    @property
    def subject(self) -> str:
        """A digest of who signs in: the system's limits are theirs."""
        said = [self.type, self.username or "", self.client_id or ""]
        said += [secret.get_secret_value() for secret in (self.token, self.value) if secret]
        return blake2b("\0".join(said).encode(), digest_size=16).hexdigest()


class AccountSettings(LookupSettings):
    """Whose system it is: a constant, or a request that tells."""

    constant: str | None = Field(
        default=None,
        min_length=1,
        description="A name of your choice, where the system has nothing to tell it by.",
    )
    label: Expression | None = Field(
        default=None, description="The account's name for people; by default its id."
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        asks = bool(self.path or self.body)
        if (self.constant is None) != asks:
            raise ValueError("give either `constant`, or a request with a `path` or a `body`")
        return self


class _OrText:
    """In the JSON schema: the section, or its constant by itself."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [handler(core), {"type": "string"}]}


def _constant(value: Any) -> Any:
    return {"constant": value} if isinstance(value, str) else value


Account = Annotated[AccountSettings, BeforeValidator(_constant), _OrText()]


class FindSettings(Section):
    """How objects are looked up; each a request or a list of requests."""

    key: Lookups = Field(default=(), description="By our own key.")
    email: Lookups = Field(default=(), description="By e-mail address, in lower case.")
    phone: Lookups = Field(default=(), description="By phone number, E.164.")


class HttpObjectSettings(ObjectSettings):
    """What is written of objects of a kind, and by which requests."""

    types: dict[str, FieldType] = Field(
        default={},
        description="Fields that are not plain text or number: `instant` and `date` as "
        "`spelling` has them, `boolean`, `reference` (the id of another object, maybe in a list "
        "with its name).",
    )
    present: dict[str, Expression] = Field(
        default={},
        description="Where a result has a field; by default under its name, dots leading down.",
    )
    find: FindSettings = Field(default=FindSettings(), description="How objects are looked up.")
    read: Lookups = Field(default=(), description="Objects by id.")
    create: Writes = Field(default=(), description="Creates objects.")
    update: Writes = Field(default=(), description="Writes fields of objects that are there.")


class ContactSettings(HttpObjectSettings):
    """Contacts: customers, patients, partners."""

    email_field: str = Field(default="email", description="Field of the e-mail address.")
    phone_field: str = Field(default="phone", description="Field of the phone number.")


class AppointmentSettings(HttpObjectSettings):
    """Appointments: bookings, events, meetings."""

    owner_field: str | None = Field(default=None, description="Field that takes the owner's id.")
    cancel: Writes = Field(
        default=(), description="Cancels, where that is not done by writing a field."
    )
    archive: Writes = Field(default=(), description="Archives or deletes.")
    link: Writes = Field(
        default=(), description="Ties an appointment to its contact, where that is a request."
    )
    unlink: Writes = Field(default=(), description="Undoes it.")


class OwnerLookupsSettings(Section):
    """How users are looked up; both or neither."""

    email: OwnerLookups = Field(default=(), description="By e-mail address, in lower case.")
    id: OwnerLookups = Field(default=(), description="By id.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if bool(self.email) != bool(self.id):
            raise ValueError("needs both `email` and `id`, or neither")
        return self


class HttpOwnerSettings(OwnerSettings):
    """Which user an appointment belongs to, and how users are looked up."""

    find: OwnerLookupsSettings = Field(
        default=OwnerLookupsSettings(), description="How users are looked up."
    )


class FormSettings(Section):
    """How the system spells one type of value."""

    write: Structure = Field(description="What stands for `value`.")
    read: Expression = Field(description="From the system's `value` to ours.")


class EmptySettings(Section):
    """How the system spells that a field is empty."""

    write: Anything = Field(default=None, description="What empties a field.")
    read: tuple[Anything, ...] = Field(default=(), description="What means that a field is empty.")


class SpellingSettings(Section):
    """How values are spelled where the system does not take ISO 8601 and JSON's own types."""

    instant: FormSettings = Field(
        default=FormSettings(write="{{ value | iso }}", read="value | instant"),
        description="Times, UTC.",
    )
    date: FormSettings = Field(
        default=FormSettings(write="{{ value | date }}", read="value"), description="Dates."
    )
    decimal: Structure = Field(default=None, description="Exact numbers; by default JSON numbers.")
    empty: EmptySettings = Field(default=EmptySettings(), description="Empty fields.")


class GroupLimitSettings(Section):
    """How often requests of one group may be sent."""

    calls: PositiveInt = Field(description="Requests within any such time.")
    seconds: PositiveFloat = Field(default=1.0, description="The time, seconds.")


class LimitSettings(Section):
    """How often requests may be sent; `Retry-After` is obeyed besides."""

    calls: PositiveInt = Field(default=10, description="Requests within any such time.")
    seconds: PositiveFloat = Field(default=1.0, description="The time, seconds.")
    groups: dict[str, GroupLimitSettings] = Field(
        default={}, description="Further limits, by the `group` of requests."
    )
