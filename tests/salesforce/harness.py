"""The fake as the kit for remote connectors wants it: seen and used by people."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.salesforce.fake import CLIENT_ID, CLIENT_SECRET, FakeSalesforce, Fault
from tests.salesforce.org import Stored, instant, spelled
from tests.salesforce.schema import CONTACT, EVENT, USER
from zimun_connectors.salesforce import SalesforceSettings, connector
from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes import SeenAppointment, SeenContact, Trouble

_BOOKED: Final = ("scheduled", "confirmed")
_NAMES: Final[Mapping[str, str]] = {
    "title": "Subject",
    "status": "Zimun_Status__c",
    "contact_id": "WhoId",
    "owner": "OwnerId",
    "email": "Email",
    "phone": "Phone",
}
_TABLES: Final = {Kind.CONTACT: CONTACT, Kind.APPOINTMENT: EVENT}
_FAULTS: Final[Mapping[Trouble, Mapping[str, Any]]] = {
    Trouble.UNAVAILABLE: {"status": 503},
    Trouble.COMMIT_THEN_500: {"status": 500, "commits": True},
    Trouble.TIMEOUT_AFTER_COMMIT: {"status": None, "commits": True},
}


class SalesforcePeople:
    """What people see and do in a fake organization.

    Args:
        harness: has the running fake, in the process that started it.
    """

    def __init__(self, harness: "SalesforceHarness") -> None:
        self._harness = harness

    @property
    def _fake(self) -> FakeSalesforce:
        return self._harness.fake

    def contacts(self) -> Sequence[SeenContact]:
        return [_seen_contact(record.values) for record in self._fake.org.live(CONTACT)]

    def appointments(self) -> Sequence[SeenAppointment]:
        return [self._seen(record.values) for record in self._fake.org.live(EVENT)]

    def writes(self) -> int:
        return self._fake.written

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        return self._fake.org.add(CONTACT, **_named(name), Email=email, Phone=phone).id

    def add_user(self, email: str, *, active: bool = True) -> str:
        return self._fake.org.add(USER, Email=email, IsActive=active).id

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        record = self._record(object_id)
        assert record.table == _TABLES[kind]
        if "name" in values:
            record.values |= _named(values.pop("name"))
        for name, field in (("starts_at", "StartDateTime"), ("ends_at", "EndDateTime")):
            if name in values:
                record.values[field] = spelled(values.pop(name))
        record.values |= {_NAMES[name]: value for name, value in values.items()}

    def delete(self, kind: Kind, object_id: str, /) -> None:
        assert self._record(object_id).table == _TABLES[kind]
        self._fake.org.delete_by_hand(object_id)

    def merge(self, loser: str, winner: str, /) -> None:
        self._fake.org.merge(loser, winner)

    def swap_account(self) -> str:
        self._fake.swap_org()
        return self._fake.org.id

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        if trouble is Trouble.DOWN:
            self._fake.fail(Fault(status=503, times=None))
        elif trouble is Trouble.IGNORES_START:
            self._fake.org.ignored |= {"StartDateTime", "EndDateTime"}
        else:
            call = "writes" if kind is None else f"{_TABLES[kind]}/upsert"
            self._fake.fail(Fault(call, **_FAULTS[trouble]))

    def mend(self) -> None:
        self._fake.mend()
        self._fake.org.ignored.clear()
        self._fake.org.refused.clear()

    def refuse(self, text: str, /) -> str:
        words = f"There shall be no {text}."
        for part in (text, text.rpartition(" ")[2]):  # a contact's name is kept in two fields
            self._fake.org.refused[part] = words
        return words

    def _record(self, object_id: str) -> Stored:
        record = self._fake.org.get(object_id)
        assert record is not None, f"there is no {object_id}"
        return record

    def _seen(self, values: Mapping[str, Any]) -> SeenAppointment:
        status, owner = values["Zimun_Status__c"], values["OwnerId"]
        return SeenAppointment(
            id=values["Id"],
            key=values["Zimun_Key__c"],
            starts_at=_instant(values["StartDateTime"]),
            ends_at=_instant(values["EndDateTime"]),
            status="booked" if status in _BOOKED else status,
            contact_id=values["WhoId"],
            owner=None if owner == self._fake.org.user_id else owner,
            title=values["Subject"] or "",
        )


class SalesforceHarness:
    """An organization and sinks on it.

    Args:
        address: where the fake runs already; empty: start one.
        own: settings of the connector itself; tests may change them.
    """

    fields: Final = {"phone": "Phone", "title": "Subject"}

    def __init__(self, address: str = "", **own: Any) -> None:
        self._fake = None if address else FakeSalesforce()
        if self._fake is not None:
            self._fake.__enter__()
        self.address = address or self.fake.url
        self.own = own

    @property
    def lacks(self) -> Collection[str]:
        return ()

    @property
    def fake(self) -> FakeSalesforce:
        assert self._fake is not None, "the fake runs in another process"
        return self._fake

    @property
    def system(self) -> SalesforcePeople:
        return SalesforcePeople(self)

    def make(self, **settings: Any) -> Sink:
        signing = {
            "login_url": self.address,
            "allow_private": True,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        section = {**signing, **self.own, **settings}
        return connector.build(SalesforceSettings.model_validate(section), Path())

    def close(self) -> None:
        if self._fake is not None:
            self._fake.__exit__(None, None, None)
            self._fake = None


def _seen_contact(values: Mapping[str, Any]) -> SeenContact:
    parts = (values["FirstName"], values["LastName"])
    name = " ".join(part for part in parts if part)
    return SeenContact(values["Id"], values["Email"], values["Phone"], name)


def _named(name: str) -> dict[str, str | None]:
    first, _, last = name.rpartition(" ")
    return {"FirstName": first or None, "LastName": last}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else instant(text)
