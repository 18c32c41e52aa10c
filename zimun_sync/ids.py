"""What a sink remembers of the system it writes to: its account, its ids, creates under way.

The store keeps it; a sink gets it bound to its own name with `SinkContext.memory`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol


class IdState(StrEnum):
    """What is known of a remote object."""

    INTENDED = "intended"  #: its create was about to be sent; whether it arrived is not known
    LINKED = "linked"  #: it is there
    ABSENT = "absent"  #: it is not there: never made, refused, or taken away by us
    DELETED = "deleted"  #: a person deleted it there


#: In `Known.sent`: what was written has to be compared with what is there, for a replay.
DOUBTED = "@doubted"


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of one remote object.

    Args:
        key: our key: `source/appointment_id`, or a contact's first person key.
        state: what is known of it.
        remote_id: its id there; None while a create is under way.
        version: the remote's own revision (an ETag, a number), where updates need it.
        sent: short digest of the value last written, by field.
        token: idempotency token of its create; the same for every attempt.
        contact: of an appointment: the key of its contact; once it names nobody, the latest.
        linked_to: of an appointment: the remote id of the contact it is linked with there.
        person: of an appointment: digests of e-mail, phone and name that it was booked with.
    """

    key: str
    state: IdState
    remote_id: str | None = None
    version: str | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    contact: str | None = None
    linked_to: str | None = None
    person: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True)
class Activation:
    """A person's consent to write.

    Args:
        at: when it was given, aware UTC.
        starts_from: appointments that start earlier are left out unless they are already
            there, aware UTC; None for all.
    """

    at: datetime
    starts_from: datetime | None


class Memory(Protocol):
    """One sink's memory. Every write is one transaction, refused without the sink's lease.

    It is durable on return, but for `calls` and `notice`, whose last ones a power loss may take
    back: they are not worth waiting for the disk.
    """

    def account(self) -> str | None:
        """The remote account that the ids belong to; None before the first contact."""
        ...

    def claim(self, account: str) -> None:
        """Say which account the ids belong to.

        Raises:
            LeaseLost: another process took over this sink.
        """
        ...

    def activation(self) -> Activation | None:
        """The consent to write; None before `zimun-sync sinks activate`."""
        ...

    def known(self, kind: str, keys: Collection[str], /) -> dict[str, Known]:
        """What is remembered of these objects of a kind (`contact`, `appointment`), by key."""
        ...

    def remote(self, kind: str, ids: Collection[str], /) -> dict[str, str]:
        """Our key of each of these remote ids that is known, by remote id.

        Where several of our objects are one there, of one that is linked.
        """
        ...

    def aliases(self, persons: Collection[str], /) -> dict[str, str]:
        """The contact's key by person key (`email:…`, `phone:…`), of those that are known."""
        ...

    def save(
        self, kind: str, entries: Sequence[Known], aliases: Mapping[str, str] | None = None, /
    ) -> None:
        """Remember objects, and person keys of contacts, in place of what was known of them.

        Raises:
            LeaseLost: another process took over this sink.
        """
        ...

    def forgotten(self, appointments: Collection[str], /) -> dict[str, bool]:
        """Contacts of people who asked to be forgotten: by key, whether others need them too.

        Those whose person key is suppressed, and the latest that these appointments had. Others
        need a contact if an appointment that is none of these belongs to it.

        Args:
            appointments: keys of those that held something about them.
        """
        ...

    def forget(self, appointments: Collection[str], contacts: Collection[str], /) -> None:
        """Remember nothing of these contacts, nor whom these appointments were booked by.

        Not in freed pages either: that rewrites the state's files.

        Raises:
            LeaseLost: another process took over this sink.
            StoreError: the files could not be rewritten; it may be asked again.
        """
        ...

    def spend(self, run_id: str, creates: int, limit: int, /) -> bool:
        """Count creates that a run is about to make, if they are within its limit.

        What a person agreed to (on activation, or by `resume`) is not held against the limit.

        Args:
            run_id: the run that brought the records; what webhooks bring is counted by UTC day.
            creates: how many; less than none gives back what was counted and then not made.
            limit: how many a run may make.

        Returns:
            False if they exceed it: nothing was counted, and `resume` lets this run go on.

        Raises:
            LeaseLost: another process took over this sink.
        """
        ...

    def calls(self, day: date, made: int = 0, /) -> int:
        """Add calls made on a day (UTC) to its count, and return the count.

        Raises:
            LeaseLost: another process took over this sink.
        """
        ...

    def notice(self, code: str, subject: str, message: str, /) -> None:
        """Report something that a person may want to mend: once for each code and subject.

        Raises:
            LeaseLost: another process took over this sink.
        """
        ...


class Lookup(Protocol):
    """What the store holds beside the records that a batch brings."""

    def rows(
        self, source: str, stream: str, keys: Collection[str], /
    ) -> dict[str, Mapping[str, Any]]:
        """Content of records by key, as `Change.row`; of deleted ones the last content."""
        ...
