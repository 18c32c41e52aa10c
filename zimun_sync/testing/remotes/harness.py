"""What a connector gives the kit: its sink, and the system behind it as people see it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink


class Lack(StrEnum):
    """What a system, or the test of it, does not have; each is asserted where it is stated."""

    CONTACTS = "contacts"  #: it has no contacts
    TWINS = "twins"  #: it cannot hold two contacts with the same e-mail address
    MERGE = "merge"  #: contacts cannot be merged there
    OWNERS = "owners"  #: appointments do not belong to users
    NO_SHOW = "no_show"  #: it cannot tell a no-show from another booked appointment
    COMPLETED = "completed"  #: it cannot tell a completed appointment from a booked one
    ARCHIVE = "archive"  #: appointments cannot be taken away by a program
    ACCOUNTS = "accounts"  #: the test cannot lead the credentials to another account
    FAULTS = "faults"  #: the test cannot make it fail
    REFUSALS = "refusals"  #: the test cannot make it refuse a value and take it later
    SURE_CONTACTS = "sure_contacts"  #: whether a cut-off create of a contact arrived is not known
    SURE_APPOINTMENTS = "sure_appointments"  #: the same of an appointment


class Trouble(StrEnum):
    """What can be made to go wrong with a system."""

    DOWN = "down"  #: every call fails and writes nothing, until `mend`
    UNAVAILABLE = "unavailable"  #: the next write fails and writes nothing
    COMMIT_THEN_500 = "commit-then-500"  #: the next write is done, and then answered 500
    TIMEOUT_AFTER_COMMIT = "timeout-after-commit"  #: the next write is done and never answered
    IGNORES_START = "ignores-start"  #: an appointment's start is ignored silently, until `mend`


class Lacking(NotImplementedError):
    """Raised by a harness when it is asked for something that it states to lack."""


@dataclass(frozen=True, slots=True)
class SeenContact:
    """A contact as somebody sees it in the system.

    Args:
        id: its id there.
        email: as it is there; None where there is none.
        phone: as it is there; None where there is none.
        name: the full name.
    """

    id: str
    email: str | None
    phone: str | None
    name: str


@dataclass(frozen=True, slots=True)
class SeenAppointment:
    """An appointment as somebody sees it in the system.

    Args:
        id: its id there.
        key: our key, where the system keeps it.
        starts_at: aware UTC; None where it is empty.
        ends_at: aware UTC; None where it is empty.
        status: booked, cancelled, no_show or completed.
        contact_id: the contact it is tied to; None without one.
        owner: id of the user it belongs to; None without one.
        title: its title, subject or summary; empty without one.
    """

    id: str
    key: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    status: str
    contact_id: str | None
    owner: str | None
    title: str


class RemoteSystem(Protocol):
    """The system, seen and used by people, not through the connector.

    A method that a stated lack rules out raises `Lacking`.
    """

    def contacts(self) -> Sequence[SeenContact]:
        """Every contact that is there; merged and deleted ones are not."""
        ...

    def appointments(self) -> Sequence[SeenAppointment]:
        """Every appointment that is there, cancelled ones too; deleted and archived are not.

        Raises:
            AssertionError: one is tied to several contacts.
        """
        ...

    def writes(self) -> int:
        """How many objects were sent in calls that write, since the beginning.

        Creates, updates, cancellations, links: whatever was offered counts, whether or not it
        was taken or changed anything.
        """
        ...

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        """Make a contact by hand, to be found by searches at once; returns its id."""
        ...

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Add somebody whom appointments can belong to; returns the id."""
        ...

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        """Change an object by hand; names and values as `SeenContact`, `SeenAppointment` have."""
        ...

    def delete(self, kind: Kind, object_id: str, /) -> None:
        """Delete an object by hand."""
        ...

    def merge(self, loser: str, winner: str, /) -> None:
        """Merge a contact into another one by hand."""
        ...

    def swap_account(self) -> str:
        """Let the same credentials lead to another account from now on; returns its id."""
        ...

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        """Let something go wrong. `kind`: only with the next create of such an object."""
        ...

    def mend(self) -> None:
        """End every trouble and refusal, and let searches see everything."""
        ...

    def refuse(self, text: str, /) -> str:
        """Let every contact or appointment with this text in its name or title be refused.

        Returns:
            Words that its refusal contains.
        """
        ...


class RemoteHarness(Protocol):
    """One system under test, empty at first, and sinks on it."""

    @property
    def lacks(self) -> Collection[str]:
        """What it does not have: values of `Lack`."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """The remote's names of the contact's `phone` and of the appointment's `title`."""
        ...

    @property
    def system(self) -> RemoteSystem:
        """The system as people see it."""
        ...

    @property
    def address(self) -> str:
        """Where another process finds this very system: a path, a base address."""
        ...

    def make(self, **settings: Any) -> Sink:
        """A fresh sink; it shares nothing in memory with earlier ones.

        Args:
            settings: of `RemoteSettings`, as a configuration has them; `start_from` is among
                them. The connector's own settings are the harness's matter.
        """
        ...

    def close(self) -> None:
        """End the system, unless it runs elsewhere. Idempotent."""
        ...
