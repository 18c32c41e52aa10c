"""The fake as the kit for remote connectors wants it: seen and used by people."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.hubspot.fake import TOKEN, FakeHubspot, Fault
from tests.hubspot.portal import Owner, Portal, Record
from zimun_connectors.hubspot import HubspotSettings, connector
from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes.harness import (
    Lack,
    Lacking,
    SeenAppointment,
    SeenContact,
    Trouble,
)

#: HubSpot's names of what the kit calls title, starts_at, ends_at, status, by object.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "meetings": {
        "title": "hs_meeting_title",
        "starts_at": "hs_meeting_start_time",
        "ends_at": "hs_meeting_end_time",
        "status": "hs_meeting_outcome",
        "owner": "hubspot_owner_id",
    },
    "appointments": {
        "title": "hs_appointment_name",
        "starts_at": "hs_appointment_start",
        "ends_at": "hs_appointment_end",
        "status": "hs_appointment_status",
        "owner": "hubspot_owner_id",
    },
}
_STATUSES: Final = {
    "SCHEDULED": "booked",
    "COMPLETED": "completed",
    "NO_SHOW": "no_show",
    "CANCELED": "cancelled",
}
_FAULTS: Final[Mapping[Trouble, Mapping[str, Any]]] = {
    Trouble.UNAVAILABLE: {"status": 503},
    Trouble.COMMIT_THEN_500: {"status": 500, "commits": True},
    Trouble.TIMEOUT_AFTER_COMMIT: {"status": None, "commits": True},
}
_FOR_EVER: Final = 1_000_000


class HubspotPeople:
    """What people see and do in a fake portal.

    Args:
        harness: knows the running fake.
        kind: meetings or appointments.
    """

    def __init__(self, harness: "HubspotHarness", kind: str) -> None:
        self._harness = harness
        self._kind = kind
        self._names = _NAMES[kind]

    @property
    def _fake(self) -> FakeHubspot:
        return self._harness.fake

    def contacts(self) -> Sequence[SeenContact]:
        return [_seen_contact(record) for record in self._fake.portal.of("contacts")]

    def appointments(self) -> Sequence[SeenAppointment]:
        return [self._seen(record) for record in self._fake.portal.of(self._kind)]

    def writes(self) -> int:
        return self._fake.written

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        portal = self._fake.portal
        if email is not None and portal.by_value("contacts", "email", email) is not None:
            raise Lacking("HubSpot knows contacts by their e-mail address")
        added = portal.add(
            "contacts", **_named(name), **_given(email=email or "", phone=phone or "")
        )
        portal.index()
        return added

    def add_user(self, email: str, *, active: bool = True) -> str:
        owners = self._fake.portal.owners
        owners.append(Owner(str(5000 + len(owners)), email, archived=not active))
        return owners[-1].id

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        if kind is Kind.CONTACT:
            name = _named(values.pop("name")) if "name" in values else {}
            self._fake.portal.edit("contacts", object_id, **name, **_texts(values))
            return
        named = {self._names[name]: value for name, value in _texts(values).items()}
        self._fake.portal.edit(self._kind, object_id, **named)

    def delete(self, kind: Kind, object_id: str, /) -> None:
        self._fake.portal.delete("contacts" if kind is Kind.CONTACT else self._kind, object_id)

    def merge(self, loser: str, winner: str, /) -> None:
        self._fake.portal.merge(winner, loser)

    def swap_account(self) -> str:
        self._fake.portal = Portal(id=self._fake.portal.id + 1)
        return str(self._fake.portal.id)

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        if trouble is Trouble.DOWN:
            self._fake.fail(Fault(status=503, times=_FOR_EVER))
        elif trouble is Trouble.IGNORES_START:
            self._fake.portal.ignored |= {self._names["starts_at"], "hs_timestamp"}
        else:
            types = {None: "writes", Kind.CONTACT: "contacts/upsert"}
            call = types.get(kind, f"{self._kind}/upsert")
            self._fake.fail(Fault(call, **_FAULTS[trouble]))

    def mend(self) -> None:
        self._fake.mend()
        self._fake.portal.ignored.clear()
        self._fake.portal.rules.clear()

    def refuse(self, text: str, /) -> str:
        words = f"There shall be no {text}."
        for kind, name in (
            ("contacts", "firstname"),
            ("contacts", "lastname"),
            (self._kind, self._names["title"]),
        ):
            self._fake.portal.forbid(kind, name, text, words)
        return words

    def _seen(self, record: Record) -> SeenAppointment:
        def of(name: str) -> str | None:
            return record.properties.get(self._names[name]) or None

        contacts = self._fake.portal.contacts_of(self._kind, record.id)
        assert len(contacts) <= 1, f"{record.id} is tied to {contacts}"
        return SeenAppointment(
            id=record.id,
            key=record.properties.get("zimun_key"),
            starts_at=_instant(of("starts_at")),
            ends_at=_instant(of("ends_at")),
            status=_STATUSES[of("status") or "SCHEDULED"],
            contact_id=next(iter(contacts), None),
            owner=of("owner"),
            title=of("title") or "",
        )


class HubspotHarness:
    """A portal and sinks on it.

    Args:
        address: where the fake runs already; empty: start one.
        kind: meetings or appointments.
        portal: further settings of the portal.
    """

    def __init__(self, address: str, kind: str = "meetings", **portal: Any) -> None:
        self._fake = None if address else FakeHubspot(Portal(**portal))
        if self._fake is not None:
            self._fake.__enter__()
        self.address = address or (self._fake.url if self._fake else "")
        self._kind = kind

    @property
    def lacks(self) -> Collection[str]:
        return {Lack.TWINS}

    @property
    def fields(self) -> Mapping[str, str]:
        return {"phone": "phone", "title": _NAMES[self._kind]["title"]}

    @property
    def fake(self) -> FakeHubspot:
        assert self._fake is not None, "the fake runs in another process"
        return self._fake

    @property
    def system(self) -> HubspotPeople:
        return HubspotPeople(self, self._kind)

    def make(self, **settings: Any) -> Sink:
        own = {
            "token": TOKEN,
            "base_url": self.address,
            "allow_private": True,
            "object": self._kind,
            "limits": {"calls_per_10_seconds": 100_000, "searches_per_second": 10_000},
        }
        return connector.build(HubspotSettings.model_validate({**own, **settings}), Path())

    def close(self) -> None:
        if self._fake is not None:
            self._fake.__exit__(None, None, None)
            self._fake = None


def _seen_contact(record: Record) -> SeenContact:
    properties = record.properties
    parts = (properties.get("firstname", ""), properties.get("lastname", ""))
    return SeenContact(
        record.id,
        properties.get("email"),
        properties.get("phone"),
        " ".join(part for part in parts if part),
    )


def _named(name: str) -> dict[str, str]:
    first, _, last = name.rpartition(" ")
    return _given(firstname=first, lastname=last)


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    words = {seen: outcome for outcome, seen in _STATUSES.items()}
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else words.get(value, value)
        if name == "status"
        else value or ""
        for name, value in values.items()
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
