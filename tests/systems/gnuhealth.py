"""GNU Health, a real clinic's system, and its desk as the people there see it."""

import base64
import json
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from tests.systems.running import free_port, installed, served

USER, PASSWORD = "admin", "clinic-password"
_CONFIGURATION = """
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
[password]
passlib = {passlib}
"""
#: Tables of what the tests and the connector enter, dependent ones first.
_ENTERED = (
    "gnuhealth_appointment",
    "gnuhealth_healthprofessional",
    "gnuhealth_patient",
    "gnuhealth_person_name",
    "gnuhealth_person_alternative_identification",
    "party_contact_mechanism",
    "party_address",
    "party_party",
)
_databases = count(1)


class RpcError(Exception):
    """GNU Health answered with an error."""


@dataclass(frozen=True, slots=True)
class Clinic:
    """One database of a running server.

    Args:
        url: of the database, as the connector's `base_url`.
        file: the database itself.
    """

    url: str
    file: Path

    def clear(self) -> None:
        """Forget everybody and every appointment; far quicker than another database."""
        with closing(sqlite3.connect(self.file, timeout=30)) as database, database:
            for table in _ENTERED:
                database.execute(f"DELETE FROM {table}")

    def set_birth(self, made: datetime) -> None:
        """Let the database be one that was made at another time."""
        with closing(sqlite3.connect(self.file, timeout=30)) as database, database:
            database.execute("UPDATE ir_module SET create_date = ?", [f"{made:%Y-%m-%d %H:%M:%S}"])

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method as the official client does, and return its result.

        Raises:
            RpcError: it answered with an error.
        """
        body = {"id": 1, "method": method, "params": [*arguments, {}]}
        request = urllib.request.Request(self.url + "/", json.dumps(body).encode())
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        if "error" in said:
            raise RpcError(said["error"])
        return said["result"]

    def search(self, model: str, fields: Sequence[str], *domain: Any) -> list[dict[str, Any]]:
        """Every record of a model with these fields, oldest first."""
        order = [["id", "ASC"]]
        method = f"model.{model}.search_read"
        found: list[dict[str, Any]] = self.call(method, list(domain), 0, None, order, list(fields))
        return found

    def patients(self) -> list[dict[str, Any]]:
        """Patients with their persons below `party.`."""
        mechanisms = ["party.contact_mechanisms.type", "party.contact_mechanisms.value"]
        return self.search("gnuhealth.patient", ["party.name", "party.lastname", *mechanisms])

    def appointments(self, *further: str) -> list[dict[str, Any]]:
        """Appointments with their start in UTC, and with further fields."""
        fields = ["name", "appointment_date", "state", "comments", "patient", "healthprof"]
        found = self.search("gnuhealth.appointment", [*fields, *further])
        return [{**each, "appointment_date": moment(each["appointment_date"])} for each in found]

    def add_patient(self, name: str, lastname: str = "", **mechanisms: str) -> int:
        """Enter a patient; keywords are e-mail address and phone number. Returns the id."""
        entered = [{"type": kind, "value": value} for kind, value in mechanisms.items()]
        person = {
            "name": name,
            "lastname": lastname,
            "gender": "u",
            "fed_country": "AUT",
            "is_person": True,
            "is_patient": True,
            "create_target": True,
            "contact_mechanisms": [["create", entered]],
        }
        (party,) = self.call("model.party.party.create", [person])
        (patient,) = self.search("gnuhealth.patient", ["id"], ["party", "=", party])
        return int(patient["id"])

    def add_doctor(self, name: str, email: str, *, active: bool = True) -> int:
        """Enter a health professional; returns the id."""
        person = {
            "name": name,
            "gender": "u",
            "fed_country": "AUT",
            "is_person": True,
            "is_healthprof": True,
            "contact_mechanisms": [["create", [{"type": "email", "value": email}]]],
        }
        (party,) = self.call("model.party.party.create", [person])
        doctor = {"party": party, "active": active}
        (made,) = self.call("model.gnuhealth.healthprofessional.create", [doctor])
        return int(made)

    def write(self, model: str, record: int, **values: Any) -> None:
        """Change a record."""
        self.call(f"model.{model}.write", [record], values)


def moment(value: Any) -> datetime | None:
    """A time as GNU Health tells it, in UTC."""
    if value is None:
        return None
    at = datetime(value["year"], value["month"], value["day"], tzinfo=UTC)
    return at.replace(hour=value["hour"], minute=value["minute"], second=value["second"])


def told(value: datetime) -> dict[str, Any]:
    """A time as GNU Health takes it."""
    at = value.astimezone(UTC)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(at, name) for name in names}}


@dataclass(frozen=True, slots=True)
class GnuHealth:
    """The running server.

    Args:
        address: of its root, without a slash.
        folder: of its databases.
        template: a database that nothing was entered in.
    """

    address: str
    folder: Path
    template: Path

    def clinic(self) -> Clinic:
        """A new database."""
        name = f"clinic{next(_databases)}"
        file = self.folder / f"{name}.sqlite"
        shutil.copyfile(self.template, file)
        return Clinic(f"{self.address}/{name}", file)


@contextmanager
def gnuhealth(folder: Path) -> Iterator[GnuHealth]:
    """The server, with its databases in a folder."""
    environment, port = installed("gnuhealth"), free_port()
    made = environment / "clinic"
    configuration = folder / "trytond.conf"
    passlib = made / "passlib"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, passlib=passlib))
    program = str(environment / "bin/trytond")
    command = [str(environment / "bin/python3"), program, "-c", str(configuration)]
    with served(command, port, folder / "log"):
        yield GnuHealth(f"http://127.0.0.1:{port}", folder, made / "clinic.sqlite")
