"""Reading: pages of a stream, single records, and both of them typed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from zimun_sync.errors import MalformedAnswer
from zimun_sync.network.body import BodyFault
from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.api import AVAILABILITY, Api, below, typed
from zimun_sync.zimun.models import (
    Appointment,
    Location,
    Organization,
    Resource,
    Service,
    Staff,
)
from zimun_sync.zimun.outcome import Purpose
from zimun_sync.zimun.pages import Page, TokenTrail, listed, offered, single

T = TypeVar("T")

_SINGLE = "organization"

#: What one request answers for one service: slots and holidays.
_OFFERED = {"availability", "holidays"}
#: The documented scopes; what the other lists need is not said.
_SCOPES = {
    "organization": "org:read",
    "appointments": "appointments:read",
    **dict.fromkeys(_OFFERED, AVAILABILITY),
}

_appointment = typed(Appointment)
_organization = typed(Organization)


class Listings(Api):
    """Calls that list and view."""

    def page(
        self,
        stream: str,
        page_token: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Page:
        """One page of a stream.

        The organization is a page of one item. So is an answer about availability or holidays:
        the item is all of it, and `params` say for which service it is asked.

        Args:
            stream: the stream's name.
            page_token: `next_page_token` of the page before; None for the first page.
            params: further query parameters, the same ones for each page of a listing.

        Raises:
            NotFound: this API does not offer the stream.
            PageTokenExpired: the listing has to start again.
            SourceError: as any call.
        """
        path, scope = self.settings.paths.of(stream), _SCOPES.get(stream, "")
        if stream == _SINGLE:
            return self._get(path, single, scope=scope)
        if stream in _OFFERED:
            return self._get(path, offered, params, scope=scope)
        query, purpose = self._query(params), Purpose.OTHER
        if page_token is not None:
            query[self.settings.page_token_parameter] = page_token
            purpose = Purpose.NEXT_PAGE
        return self._get(path, lambda reply: listed(reply, page_token), query, purpose, scope)

    def pages(
        self,
        stream: str,
        *,
        page_token: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Iterator[Page]:
        """The pages of a stream from a page token, or from the first, to the last.

        Args:
            stream: the stream's name.
            page_token: where to go on; None for the first page.
            params: further query parameters.

        Raises:
            MalformedAnswer: also when the page tokens run in circles.
            SourceError: as `page`.
        """
        trail = TokenTrail()
        while True:
            trail.follow(page_token, stream)
            page = self.page(stream, page_token, params)
            yield page
            page_token = page.next_page_token
            if page_token is None:
                return

    def record(self, stream: str, key: str) -> Page:
        """One record by its identifier, raw, as a page of one item.

        Raises:
            NotFound: 404 or 410, the record is gone.
            SourceError: as any call.
        """
        path = below(self.settings.paths.of(stream), key)
        return self._get(path, single, scope=_SCOPES.get(stream, ""))

    def has_by_id(self, stream: str) -> bool:
        """Whether single records of the stream can be asked for."""
        return stream in self.settings.by_id

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        """What a page token of this listing belongs to: another text, another listing."""
        return self._url(self.settings.paths.of(stream), self._query(params))

    def changed_since(self, moment: datetime) -> dict[str, str]:
        """Query parameters that list only what changed since an aware moment.

        Empty unless `updated_since_parameter` is set: the listing is then a full one.
        """
        name = self.settings.updated_since_parameter
        return {} if name is None else {name: moment.isoformat()}

    def organization(self) -> Organization:
        """The business the credentials belong to."""
        path = self.settings.paths.organization
        return self._get(path, _organization, scope=_SCOPES["organization"])

    def appointment(self, appointment_id: str) -> Appointment:
        """One appointment; NotFound when it is gone."""
        path = below(self.settings.paths.appointments, appointment_id)
        return self._get(path, _appointment, scope=_SCOPES["appointments"])

    def appointments(self, params: Mapping[str, str] | None = None) -> Iterator[Appointment]:
        """All appointments."""
        return self._records("appointments", Appointment, params)

    def services(self) -> Iterator[Service]:
        """All services."""
        return self._records("services", Service)

    def staff(self) -> Iterator[Staff]:
        """All staff members."""
        return self._records("staff", Staff)

    def resources(self) -> Iterator[Resource]:
        """All resources."""
        return self._records("resources", Resource)

    def locations(self) -> Iterator[Location]:
        """All locations."""
        return self._records("locations", Location)

    def _records(
        self, stream: str, kind: type[T], params: Mapping[str, str] | None = None
    ) -> Iterator[T]:
        decoder = msgspec.json.Decoder(kind)
        for page in self.pages(stream, params=params):
            for item in page.items:
                yield _record(item, decoder, stream)

    def _query(self, params: Mapping[str, str] | None) -> dict[str, str]:
        size = {self.settings.page_size_parameter: str(self.settings.page_size)}
        return {**(params or {}), **size}


def _record(item: msgspec.Raw, decoder: msgspec.json.Decoder[T], stream: str) -> T:
    try:
        return decode(bytes(item), "", decoder)
    except BodyFault as error:
        raise MalformedAnswer(
            f"A record in the listing of {stream} cannot be read: {error}.",
            hint="Use pages() to get past it: that gives each record undecoded.",
        ) from error
