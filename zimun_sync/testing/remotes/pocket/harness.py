"""What the contract needs of the little CRM: its sinks, and its people's view of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes.harness import Lack, Lacking, SeenAppointment, SeenContact, Trouble
from zimun_sync.testing.remotes.pocket.connector import PocketSettings, pocket_sink
from zimun_sync.testing.remotes.pocket.crm import PocketCrm
from zimun_sync.testing.remotes.pocket.desk import PocketDesk
from zimun_sync.testing.remotes.pocket.faults import Fault
from zimun_sync.testing.remotes.pocket.words import PocketObject, PocketRules

_FAULTS: Final = {
    Trouble.DOWN: Fault.UNAVAILABLE,
    Trouble.UNAVAILABLE: Fault.UNAVAILABLE,
    Trouble.COMMIT_THEN_500: Fault.COMMIT_THEN_FAIL,
    Trouble.TIMEOUT_AFTER_COMMIT: Fault.COMMIT_THEN_FAIL,
}


class PocketSystem:
    """The CRM as its people see it.

    Args:
        crm: the system.
    """

    def __init__(self, crm: PocketCrm) -> None:
        self._crm = crm
        self._desk = PocketDesk(crm)

    def contacts(self) -> Sequence[SeenContact]:
        """Everyone who is there."""
        return [_seen_contact(each) for each in self._desk.contacts()]

    def appointments(self) -> Sequence[SeenAppointment]:
        """Every appointment that is there."""
        return [_seen_appointment(each) for each in self._desk.appointments()]

    def writes(self) -> int:
        """Objects in calls that write."""
        return self._desk.writes()

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        """Enter somebody."""
        if self._crm.rules.unique_emails and email in {each.email for each in self.contacts()}:
            raise Lacking
        return self._desk.add("contact", name=name, email=email, phone=phone)

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Let somebody work here."""
        user_id = f"u{len(self._crm.users()) + 1}"
        self._desk.add_user(user_id, email, active=active)
        return user_id

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        """Fields are named as what is seen of them."""
        self._desk.edit(kind, object_id, **values)

    def delete(self, kind: Kind, object_id: str, /) -> None:
        """Delete an object."""
        del kind
        self._desk.delete(object_id)

    def merge(self, loser: str, winner: str, /) -> None:
        """Merge a contact into another."""
        self._desk.merge(loser, winner)

    def swap_account(self) -> str:
        """Another account, of the same content."""
        self._desk.swap_account("pocket-2")
        return "pocket-2"

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        """Plan a fault."""
        if trouble is Trouble.IGNORES_START:
            self._desk.ignore("starts_at")
        else:
            call = "*" if kind is None else f"insert {kind}"
            times = -1 if trouble is Trouble.DOWN else 1
            self._desk.fail(_FAULTS[trouble], call, times=times)

    def mend(self) -> None:
        """Let everything go well."""
        self._desk.mend()
        self._desk.ignore("")
        self._desk.refuse("")
        self._desk.reindex()

    def refuse(self, text: str, /) -> str:
        """Every object with this text."""
        self._desk.refuse(text)
        return f"The value '{text}' is not valid here."


class PocketHarness:
    """The CRM in a file, reached by any process.

    Args:
        path: its file.
        rules: what kind of system it is.
        lacks: what it does not have.
    """

    def __init__(self, path: Path, rules: PocketRules, lacks: frozenset[Lack]) -> None:
        self.lacks = lacks
        self.fields = {"phone": "phone", "title": "title"}
        self.address = str(path)
        self._rules = rules
        self._crms = [PocketCrm(path, rules)]
        self.system = PocketSystem(self._crms[0])

    def make(self, **settings: Any) -> Sink:
        """A sink with a connection of its own."""
        crm = PocketCrm(Path(self.address), self._rules)
        self._crms.append(crm)
        named = {"path": self.address, **settings}
        return self.sink_on(crm, PocketSettings.model_validate(named))

    def sink_on(self, crm: PocketCrm, settings: PocketSettings) -> Sink:
        """The sink under test."""
        return pocket_sink(crm, settings)

    def close(self) -> None:
        """Close every connection."""
        for crm in self._crms:
            crm.close()


def _seen_contact(each: PocketObject) -> SeenContact:
    email, phone, name = (each.fields.get(field) for field in ("email", "phone", "name"))
    return SeenContact(each.id, email, phone, name or "")


def _seen_appointment(each: PocketObject) -> SeenAppointment:
    contact_ids = each.contact_ids or ()
    assert len(contact_ids) <= 1, f"{each.id} is tied to {contact_ids}"
    values = each.fields
    return SeenAppointment(
        id=each.id,
        key=each.key,
        starts_at=values.get("starts_at"),
        ends_at=values.get("ends_at"),
        status=values["status"],
        contact_id=contact_ids[0] if contact_ids else None,
        owner=values.get("owner"),
        title=values.get("title", ""),
    )
