"""What a connector to a remote system implements: a CRM, a POS, a clinic's system, a calendar.

The engine's `RemoteSink` decides what to create, update, cancel, archive and link, remembers ids
and creates under way, keeps limits and mends what a crash left. A remote only speaks the
system's protocol: it looks things up and writes what it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import Any, Protocol, runtime_checkable

from zimun_sync.errors import SinkUnavailable


class Kind(StrEnum):
    """What there is in a remote system."""

    CONTACT = "contact"  #: a person: contact, customer, patient
    APPOINTMENT = "appointment"  #: meeting, event, booking


class By(StrEnum):
    """What an object can be looked up by."""

    KEY = "key"  #: our own key, where the system keeps it
    EMAIL = "email"  #: lower case
    PHONE = "phone"  #: E.164


class Linking(StrEnum):
    """How an appointment is tied to its contact."""

    NONE = "none"  #: the system has no contacts
    FIELD = "field"  #: with the appointment itself: `Item.contact_id`
    CALL = "call"  #: by a call of its own: the remote implements `Links`


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a remote can do. The engine plans by it.

    Args:
        batch: most items it takes in one call of a method.
        linking: how appointments are tied to contacts.
        finds: lookups that see everything already written; a search whose index lags is none.
        safe_creates: kinds whose create, repeated with the same key and token, doubles nothing.
        upserts: kinds of those whose repeated create writes the fields that it is given, instead
            of answering with what the first one made.
    """

    batch: int
    linking: Linking
    finds: frozenset[tuple[Kind, By]]
    safe_creates: frozenset[Kind]
    upserts: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Account:
    """Whose system it is.

    Args:
        id: stable and unique among all accounts of this connector.
        label: for people, such as a portal's name or address.
    """

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of the remote system."""

    id: str
    active: bool


@dataclass(frozen=True, slots=True)
class Found:
    """An object as the remote has it now.

    Args:
        id: its id. A read by a merged object's former id finds the one it was merged into.
        fields: present values of the fields asked for, by name; None where empty. Instants are
            aware datetimes where the field holds one, numbers may come as text.
        version: its revision, where updates need one.
    """

    id: str
    fields: Mapping[str, Any]
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One object to write.

    Args:
        key: our key; a remote that keeps it writes it with a create.
        fields: values by the remote's field names, Python's own (aware UTC `datetime`, `date`,
            `Decimal`, `bool`, `int`, `str`); None clears a field.
        id: its remote id; None for a create.
        version: its revision as last seen.
        contact_id: remote id of the appointment's contact, with `Linking.FIELD`; None: none.
        retied: whether that is another contact than before.
        token: idempotency token of a create, the same for every attempt.
        row: everything known of it by name (the mapping's names), for remotes whose requests
            are templates themselves.
    """

    key: str
    fields: Mapping[str, Any]
    id: str | None = None
    version: str | None = None
    contact_id: str | None = None
    retied: bool = False
    token: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """It is written.

    Args:
        key: the item's.
        id: its remote id.
        version: its revision now.
    """

    key: str
    id: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The remote does not take it; repeating it unchanged will not help.

    Args:
        key: the item's.
        code: the remote's own word for it, in lower case with dashes, such as `invalid-email`.
        message: the remote's own words, without secrets.
    """

    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The remote no longer knows its id, or that of the contact it is to be tied to."""

    key: str


@dataclass(frozen=True, slots=True)
class Stale:
    """Someone changed it there since `version`: read it again, then update."""

    key: str


@dataclass(frozen=True, slots=True)
class Exists:
    """A create met an object that already carries this key or this identity.

    Args:
        key: the item's.
        id: the object's remote id, where the remote tells; None: it has to be looked up.
    """

    key: str
    id: str | None = None


Outcome = Done | Refused | Gone | Stale | Exists


class NotSent(SinkUnavailable):
    """Not now, and nothing of the call reached the remote, so that nothing can have come of it.

    For a connection that could not be made, a limit, or a 429. A remote that makes several
    requests for one call raises it only for the first of them.
    """


class BatchRefused(Exception):
    """The remote refused a call as a whole and wrote nothing of it: the engine halves it.

    Args:
        code: as `Refused.code`.
        message: as `Refused.message`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Pair:
    """An appointment and the contact it belongs to.

    Args:
        key: the appointment's key.
        appointment_id: its remote id.
        contact_id: the contact's remote id.
    """

    key: str
    appointment_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class RemoteContext:
    """What the engine gives a remote when it connects it.

    Args:
        name: the sink's name in the configuration.
        now: aware UTC now.
        stop: set when the process is asked to end; a wait for a limit looks at it.
        called: to be told of every call made, for the daily budget; `Caller` does that.
    """

    name: str
    now: Callable[[], datetime]
    stop: Event
    called: Callable[[], None]


class Remote(Protocol):
    """A remote system. Every method may raise two errors of `zimun_sync.errors`.

    SinkUnavailable: not now (a timeout, 5xx); what was written of the call is not known, and the
        engine asks again. `NotSent` where it is known that nothing was.
    SinkBroken: a person has to act (credentials, scopes, a missing field or calendar).

    No retry loops, no sleeping, nothing remembered that a crash may not lose.
    """

    @property
    def abilities(self) -> Abilities:
        """What it can do; known before it is connected."""
        ...

    def connect(self, context: RemoteContext, /) -> Account:
        """Sign in and read whose system it is. Writes nothing. Idempotent."""
        ...

    def prepare(self) -> None:
        """Make what writing needs there, such as the property that keeps our key.

        Called once after `connect`, before the first write; never for a preview. Idempotent.
        """
        ...

    def close(self) -> None:
        """Let go of connections. Idempotent; also called unconnected."""
        ...

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /
    ) -> Mapping[str, Sequence[Found]]:
        """Every object with one of these values, by value; none for values that nothing has.

        A look-up that the system does not offer finds nothing. Called with at most
        `Abilities.batch` distinct values. Writes nothing.
        """
        ...

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """Objects by the id they were asked for by; ids that are gone are left out.

        Called with at most `Abilities.batch` distinct ids. Writes nothing.
        """
        ...

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Create objects; one outcome an item, in any order.

        Called with at most `Abilities.batch` items of distinct keys. Idempotent for the kinds
        in `Abilities.safe_creates`.

        Raises:
            BatchRefused: the call was refused as a whole, nothing was written.
        """
        ...

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Write these fields of objects that are there; others stay. Idempotent.

        Never creates: an id that is not there is `Gone`.

        Raises:
            BatchRefused: the call was refused as a whole, nothing was written.
        """
        ...


@runtime_checkable
class Cancels(Protocol):
    """A remote that cancels an appointment by a call of its own instead of a field."""

    def cancel(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Cancel appointments. Idempotent: one that is already cancelled is `Done`.

        Raises:
            BatchRefused: the call was refused as a whole, nothing was written.
        """
        ...


@runtime_checkable
class Archives(Protocol):
    """A remote that can take appointments away again."""

    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Archive or delete appointments. Idempotent: one that is gone is `Gone`."""
        ...


@runtime_checkable
class Links(Protocol):
    """A remote that ties appointments to contacts by calls of their own (`Linking.CALL`)."""

    def link(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Tie each appointment to its contact. Idempotent. `Gone`: one of the two is."""
        ...

    def unlink(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Undo it. Idempotent: a link that is not there is `Done`."""
        ...


@runtime_checkable
class KnowsOwners(Protocol):
    """A remote whose appointments belong to users."""

    def owners_by_email(self, emails: Sequence[str], /) -> Mapping[str, Owner]:
        """Users by lower-case e-mail; those that do not exist are left out. Writes nothing."""
        ...

    def owners_by_id(self, ids: Sequence[str], /) -> Mapping[str, Owner]:
        """Users by id; those that do not exist are left out. Writes nothing."""
        ...


@runtime_checkable
class Erases(Protocol):
    """A remote that can erase contacts for good, for people who asked to be forgotten."""

    def erase(self, ids: Sequence[str], /) -> Mapping[str, str]:
        """Erase contacts with all that the system keeps of them. Idempotent.

        Called with at most `Abilities.batch` distinct ids of contacts that this sink created.

        Returns:
            Why, by id, of those that a person has to erase; one that is gone is erased.
        """
        ...
