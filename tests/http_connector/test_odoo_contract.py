"""The Odoo recipe passes the contract of remote connectors."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.http_connector.conftest import odoo_settings
from tests.http_connector.harness import FaultySystem, HttpHarness
from tests.http_connector.odoo import FakeOdoo
from tests.http_connector.web import Call
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes import (
    Lack,
    Lacking,
    RemoteContract,
    SeenAppointment,
    SeenContact,
)

_MODELS: Final = {Kind.CONTACT: "res.partner", Kind.APPOINTMENT: "calendar.event"}
_CREATES: Final = {kind: f"/json/2/{model}/create" for kind, model in _MODELS.items()}
_SPELLING: Final = "%Y-%m-%d %H:%M:%S"


def _writes(call: Call) -> bool:
    return call.path.endswith(("/create", "/write", "/unlink"))


class OdooSystem(FaultySystem):
    """The users' view."""

    def __init__(self, fake: FakeOdoo) -> None:
        super().__init__(fake, _CREATES, _writes)
        self._odoo = fake

    def contacts(self) -> Sequence[SeenContact]:
        return [
            SeenContact(
                str(each["id"]), each.get("email") or None, each.get("phone") or None, each["name"]
            )
            for each in self._odoo.records["res.partner"].values()
        ]

    def appointments(self) -> Sequence[SeenAppointment]:
        return [_seen(each) for each in self._odoo.records["calendar.event"].values()]

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        fields = {"name": name, "email": email or False, "phone": phone or False}
        return str(self._odoo.make("res.partner", **fields))

    def add_user(self, email: str, *, active: bool = True) -> str:
        return str(self._odoo.make("res.users", login=email, active=active))

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        names = {"starts_at": "start", "ends_at": "stop", "title": "name", "owner": "user_id"}
        record = self._odoo.records[_MODELS[kind]][int(object_id)]
        for name, value in values.items():
            field = names.get(name, name)
            record[field] = _spelled(field, value)

    def delete(self, kind: Kind, object_id: str, /) -> None:
        del self._odoo.records[_MODELS[kind]][int(object_id)]

    def merge(self, loser: str, winner: str, /) -> None:
        raise Lacking

    def swap_account(self) -> str:
        for model in (*_MODELS.values(), "res.company"):
            self._odoo.records[model].clear()
        return f"acme/{self._odoo.make('res.company', name='Salon Eva')}"


def _spelled(field: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_SPELLING)
    if value is None:
        return False
    return int(value) if field == "user_id" else value


def _seen(event: Mapping[str, Any]) -> SeenAppointment:
    partners = event.get("partner_ids", [])
    assert len(partners) <= 1, f"{event} has several attendees"
    title = event["name"] or ""
    status = "no_show" if title.startswith("No-show: ") else "booked"
    return SeenAppointment(
        str(event["id"]),
        event.get("x_zimun_key"),
        _instant(event["start"]),
        _instant(event["stop"]),
        status if event["active"] else "cancelled",
        str(partners[0]) if partners else None,
        str(event["user_id"]) if event.get("user_id") else None,
        title,
    )


def _instant(text: str) -> datetime:
    return datetime.strptime(text, _SPELLING).replace(tzinfo=UTC)


class TestOdoo(RemoteContract):
    """Atomic batches, our key in a field of its own, links by calls, empty fields as false."""

    lacks = frozenset({Lack.MERGE, Lack.COMPLETED})

    def harness(self, folder: Path, address: str = "") -> HttpHarness:
        fake = None if address else FakeOdoo()
        system = OdooSystem(fake) if fake is not None else None
        fields = {"phone": "phone", "title": "name"}
        return HttpHarness(fake, system, address, odoo_settings, self.lacks, fields)
