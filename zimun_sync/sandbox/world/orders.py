"""The bodies that the booking calls take, checked member by member."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from zimun_sync.sandbox.world.problem import invalid

#: An ISO 8601 time; one without an offset is refused.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
#: Minutes of an appointment.
Minutes = Annotated[int, msgspec.Meta(ge=5, le=1440)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
Notes = Annotated[str, msgspec.Meta(max_length=5000)]


class HoldOrder(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /appointments/hold`: a service, or a resource with a length of its own."""

    organization_id: str
    appointment_time: Moment
    service_id: str | None = None
    resource_id: str | None = None
    staff_id: str | None = None
    location_id: str | None = None
    appointment_duration: Minutes | None = None


class ConfirmOrder(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /appointments/confirm`."""

    hold_id: str
    contact_name: Text
    contact_email: Email
    contact_phone: Text | None = None
    notes: Notes | None = None


class ChangeOrder(msgspec.Struct, forbid_unknown_fields=True):
    """`PATCH /appointments/{appointment_id}`: members that are absent stay as they are."""

    appointment_time: Moment | None = None
    appointment_duration: Minutes | None = None
    status: Literal["cancelled"] | None = None
    contact_name: Text | None = None
    contact_email: Email | None = None
    contact_phone: Text | None = None
    notes: Notes | None = None


class _Named(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    appointment_id: str | None = None
    booking_id: str | None = None

    def key(self) -> str:
        """The appointment's identifier under either name; both must agree.

        Raises:
            ApiProblem: 422, neither is given, or they differ.
        """
        names = {name for name in (self.appointment_id, self.booking_id) if name}
        if len(names) != 1:
            raise invalid("Give appointment_id or booking_id, or both alike.")
        return names.pop()


class RescheduleOrder(_Named, kw_only=True):
    """`POST /appointments/reschedule`."""

    appointment_time: Moment
    appointment_duration: Minutes | None = None


class CancelOrder(_Named, kw_only=True):
    """`POST /appointments/cancel`."""


class WebhookOrder(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /webhooks`: all events unless some are named; a secret is made unless given."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")]
    events: list[str] | None = None
    secret: str | None = None


_Order = TypeVar("_Order", bound=msgspec.Struct)


def parse(body: Any, order: type[_Order]) -> _Order:
    """A decoded JSON body as the order it should be.

    Raises:
        ApiProblem: 422, naming the member that is wrong.
    """
    try:
        return msgspec.convert(body, order)
    except msgspec.ValidationError as error:
        raise invalid(f"{error}.") from None
