"""A clinic for the connectors' contract: GNU Health, with a proxy before it that can fail."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from tests.gnuhealth.conftest import settings_for
from tests.systems.gnuhealth import Clinic, moment, told
from tests.systems.proxy import Proxy, Sent, Told, proxied
from zimun_connectors.http import connector
from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes import Lack, Lacking, SeenAppointment, SeenContact, Trouble

#: GNU Health knows no end of an appointment; the contract's is kept in a time that is there.
END: Final = "checked_in_date"

_OUT_OF_ORDER: Final = Told(503, {"Content-Type": "text/html"}, b"<h1>Out of order</h1>")
_APPOINTMENT: Final = "model.gnuhealth.appointment."
_CREATES: Final = {
    Kind.CONTACT: "model.party.party.create",
    Kind.APPOINTMENT: f"{_APPOINTMENT}create",
}
_WRITING: Final = ("create", "write", "delete")
_STATES: Final = {"user_cancelled": "cancelled", "done": "completed", "confirmed": "booked"}
_years = count(1980)


class Desk:
    """The clinic as people see it, and what can go wrong with it. Implements `RemoteSystem`.

    Args:
        clinic: in which nothing was entered yet.
        proxy: on the connector's way to it.
    """

    def __init__(self, clinic: Clinic, proxy: Proxy) -> None:
        self._clinic = clinic
        self._writes = 0
        self._refused = ""
        self._trouble: Trouble | None = None
        self._kind: Kind | None = None
        proxy.before, proxy.after = self._asked, self._answered

    def contacts(self) -> Sequence[SeenContact]:
        return [_contact(each) for each in self._clinic.patients()]

    def appointments(self) -> Sequence[SeenAppointment]:
        return [_appointment(each) for each in self._clinic.appointments(END)]

    def writes(self) -> int:
        return self._writes

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        first, _, last = name.rpartition(" ")
        given = {"email": email, "phone": phone}
        mechanisms = {kind: value for kind, value in given.items() if value is not None}
        names = (first, last) if first else (last, "")
        return str(self._clinic.add_patient(*names, **mechanisms))

    def add_user(self, email: str, *, active: bool = True) -> str:
        return str(self._clinic.add_doctor(email.partition("@")[0], email, active=active))

    def merge(self, loser: str, winner: str, /) -> None:
        raise Lacking("patients are not merged there")

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        assert kind is Kind.APPOINTMENT
        names = {"title": "comments", "starts_at": "appointment_date", "owner": "healthprof"}
        edited = {names[name]: _edited(name, value) for name, value in values.items()}
        self._clinic.write("gnuhealth.appointment", int(object_id), **edited)

    def delete(self, kind: Kind, object_id: str, /) -> None:
        if kind is Kind.CONTACT:  # who has appointments is archived
            self._clinic.write("gnuhealth.patient", int(object_id), active=False)
        else:
            self._clinic.call(f"{_APPOINTMENT}delete", [int(object_id)])

    def swap_account(self) -> str:
        made = datetime(next(_years), 1, 1, tzinfo=UTC)
        self._clinic.set_birth(made)
        return f"gnuhealth {made:%Y-%m-%dT%H:%M:%SZ}"

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        self._trouble, self._kind = trouble, kind

    def mend(self) -> None:
        self._trouble, self._refused = None, ""

    def refuse(self, text: str, /) -> str:
        self._refused = text
        return f"{text} is not accepted here"

    # -- on the way ---------------------------------------------------------------------------

    def _asked(self, sent: Sent) -> Sent | Told:
        call = json.loads(sent.body)
        self._writes += _objects(call)
        if self._trouble is Trouble.DOWN:
            return _OUT_OF_ORDER
        if self._trouble is Trouble.UNAVAILABLE and self._concerns(call):
            self._trouble = None
            return _OUT_OF_ORDER
        if _objects(call) and self._refused and self._refused in _words(call):
            return _error(f"{self._refused} is not accepted here")
        if self._trouble is Trouble.IGNORES_START and call["method"] == f"{_APPOINTMENT}write":
            call["params"][1].pop("appointment_date", None)
        return replace(sent, body=json.dumps(call).encode())

    def _answered(self, sent: Sent, told: Told) -> Told | None:
        lost = {Trouble.COMMIT_THEN_500: _OUT_OF_ORDER, Trouble.TIMEOUT_AFTER_COMMIT: None}
        if self._trouble not in lost or not self._concerns(json.loads(sent.body)):
            return told
        trouble, self._trouble = self._trouble, None
        return lost[trouble]

    def _concerns(self, call: Mapping[str, Any]) -> bool:
        if self._kind is None:
            return _objects(call) > 0
        return bool(call["method"] == _CREATES[self._kind])


class Harness:
    """A clinic and sinks on it. Implements `RemoteHarness`.

    Args:
        clinic: in which nothing was entered yet; None: it runs at an address that another
            process told.
        address: there.
    """

    lacks = frozenset({Lack.MERGE})
    fields: Mapping[str, str] = {"phone": "phone", "title": "comments"}

    def __init__(self, clinic: Clinic | None, address: str = "") -> None:
        self._stack = ExitStack()
        self.address = address
        self.system = cast(Desk, None)  # another process only makes sinks, and looks at nothing
        if clinic is not None:
            way = urlsplit(clinic.url)
            proxy = self._stack.enter_context(proxied(f"{way.scheme}://{way.netloc}"))
            self.system = Desk(clinic, proxy)
            self.address = proxy.address + way.path

    def make(self, **settings: Any) -> Sink:
        given = dict(settings.pop("appointment", {}))
        end = {END: {"from": "ends_at", "write": "always", "null": "clear"}}
        given["fields"] = {**end, **given.get("fields", {})}
        given["types"] = {END: "instant"}
        settled = settings_for(self.address, appointment=given, **settings)
        return connector.build(settled, Path())

    def close(self) -> None:
        self._stack.close()


def _objects(call: Mapping[str, Any]) -> int:
    """How many objects a call is to write."""
    name = call["method"].rpartition(".")[2]
    return len(call["params"][0]) if name in _WRITING else 0


def _words(call: Mapping[str, Any]) -> str:
    """What a write names its objects."""
    params = call["params"]
    values = params[0] if call["method"].endswith("create") else params[1:2]
    return " ".join(
        f"{each.get('name')} {each.get('lastname')} {each.get('comments')}" for each in values
    )


def _error(words: str) -> Told:
    body = {"id": 1, "error": ["UserError", [words, "", None]]}
    return Told(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def _edited(name: str, value: Any) -> Any:
    if name == "starts_at":
        return told(value)
    return int(value) if name == "owner" else value


def _contact(patient: Mapping[str, Any]) -> SeenContact:
    party = patient["party."]
    by_type = {each["type"]: each["value"] for each in party["contact_mechanisms."]}
    name = f"{party['name']} {party['lastname'] or ''}".strip()
    return SeenContact(str(patient["id"]), by_type.get("email"), by_type.get("phone"), name)


def _appointment(found: Mapping[str, Any]) -> SeenAppointment:
    return SeenAppointment(
        id=str(found["id"]),
        key=found["name"],
        starts_at=found["appointment_date"],
        ends_at=moment(found[END]),
        status=_STATES.get(found["state"], found["state"]),
        contact_id=str(found["patient"]) if found["patient"] else None,
        owner=str(found["healthprof"]) if found["healthprof"] else None,
        title=found["comments"] or "",
    )
