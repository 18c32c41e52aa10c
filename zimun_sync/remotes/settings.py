"""What every remote sink's configuration section may say; a connector adds its own to it."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from zimun_sync.network.reach import Reach
from zimun_sync.remotes.expressions import compile_template
from zimun_sync.remotes.names import check_name

#: What happens to an appointment of a certain status.
Action = Literal["upsert", "cancel", "archive", "ignore", "quarantine"]
Status = Literal["held", "scheduled", "confirmed", "completed", "no_show", "cancelled", "other"]

#: What a CRM's owner would choose.
DEFAULT_STATUSES: dict[Status, Action] = {
    "held": "ignore",
    "scheduled": "upsert",
    "confirmed": "upsert",
    "completed": "upsert",
    "no_show": "upsert",
    "cancelled": "cancel",
    "other": "quarantine",
}


class Section(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )


def _shorthand(value: Any) -> Any:
    """A plain text stands for a column's name, or for a template if it has one in it."""
    if isinstance(value, str):
        return {"template": value} if "{{" in value or "{%" in value else {"from": value}
    return value


def _template(value: str) -> str:
    for name in sorted(compile_template(value).names):
        check_name(name)
    return value


class FieldSettings(Section):
    """How one field of the remote system is filled."""

    from_: Annotated[str, AfterValidator(check_name)] | None = Field(
        default=None,
        alias="from",
        description="Name whose value it takes: a column of the appointment such as "
        "`contact_phone`, or of what it refers to, such as `service.name`.",
    )
    template: Annotated[str, AfterValidator(_template)] | None = Field(
        default=None,
        description="Text with such names, as `{{ service.name }} with {{ staff.name }}`. One "
        "expression alone gives its value, not its text.",
    )
    value: str | int | float | bool | None = Field(default=None, description="A constant.")
    values: dict[str, str | int | float | bool | None] = Field(
        default={},
        description="What to write for each value of `from`; `*` stands for any other.",
        examples=[{"cancelled": "CANCELED", "no_show": "NO_SHOW", "*": "SCHEDULED"}],
    )
    null: Literal["skip", "clear"] = Field(
        default="skip",
        description="What an empty value does: `skip` leaves what is there, `clear` empties it.",
    )
    write: Literal["once", "unless_edited", "always"] | None = Field(
        default=None,
        description="`once`: when the object is created, or found with this field empty; "
        "`unless_edited`: also when our value changes, unless somebody edited it there; "
        "`always`: whenever our value changes.",
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        given = [name for name in ("from_", "template", "value") if name in self.model_fields_set]
        if len(given) != 1:
            msg = "should have exactly one of `from`, `template` and `value`"
            raise ValueError(msg)
        if self.values and self.from_ is None:
            msg = "`values` translates what `from` names: give `from`"
            raise ValueError(msg)
        return self


MappedField = Annotated[FieldSettings, BeforeValidator(_shorthand)]


class ObjectSettings(Section):
    """What is written of contacts, or of appointments."""

    write: Literal["upsert", "create_only", "update_only"] = Field(
        default="upsert",
        description="`create_only` never changes what is there, `update_only` never creates.",
    )
    fields: dict[str, MappedField | None] = Field(
        default={},
        description="The remote's field names and what fills them, on top of the connector's "
        "own mapping; null takes a field out of it.",
        examples=[{"jobtitle": None, "source": {"value": "zimun"}, "phone": "contact_phone"}],
    )


class OwnerSettings(Section):
    """Which user of the remote system an appointment belongs to."""

    by_email: bool = Field(
        default=True, description="The user with the staff member's e-mail address."
    )
    table: dict[str, str] = Field(
        default={},
        description="User id by staff id, for staff without a user of the same address.",
        examples=[{"st_12": "5512"}],
    )
    default: str | None = Field(default=None, description="User id for everything else.")


class RemoteSettings(Section):
    """What CRM, POS and calendar sinks have in common."""

    start_from: Literal["now", "all"] | date = Field(
        description="Which appointments are sent: those that start after the moment of activation "
        "(`now`), from a date on (YYYY-MM-DD, UTC), or `all`. Older ones are counted as "
        "skipped.",
    )
    contact: ObjectSettings = Field(
        default=ObjectSettings(), description="What is written of the customer."
    )
    appointment: ObjectSettings = Field(
        default=ObjectSettings(), description="What is written of the appointment."
    )
    statuses: dict[Status, Action] = Field(
        default={},
        description="What an appointment's status leads to, on top of: "
        + ", ".join(f"{status} {action}" for status, action in DEFAULT_STATUSES.items())
        + ".",
    )
    deleted: Literal["cancel", "archive", "ignore"] = Field(
        default="cancel", description="What a deletion in the source leads to."
    )
    owners: OwnerSettings = Field(
        default=OwnerSettings(), description="Which user an appointment belongs to."
    )
    overwrite_owner: bool = Field(
        default=False, description="Whether an owner that somebody set there is overwritten."
    )
    recreate_deleted: bool = Field(
        default=False, description="Whether what somebody deleted there is created again."
    )
    verify_writes: bool = Field(
        default=False, description="Read back what was written and reject what differs."
    )
    max_creates_per_run: PositiveInt = Field(
        default=500,
        description="Creates of a run above which the sink is parked until somebody agrees.",
    )
    daily_calls: PositiveInt | None = Field(
        default=None,
        description="Calls a day (UTC) that this sink may make; the rest waits for the next day.",
    )
    request_deadline: PositiveFloat = Field(
        default=30.0, le=60, description="Seconds within which a request must be over."
    )

    allow_private: bool = Field(
        default=False,
        description="Permit a host on this machine or in a private network, such as a system of "
        "your own in the same building; else only public addresses are called.",
    )

    @property
    def reach(self) -> Reach:
        """How far its requests may go."""
        return Reach.of(allow_private=self.allow_private)

    @property
    def known_by(self) -> tuple[str, ...]:
        """Columns by which people are looked up; none where the system has no contacts."""
        return ("contact_email", "contact_phone")

    def action(self, status: str) -> Action:
        """What an appointment's status leads to."""
        return {**DEFAULT_STATUSES, **self.statuses}[status]  # type: ignore[index]
