"""Radicale, a real CalDAV server, and a calendar of it as a person's program sees it."""

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from icalendar import Calendar

from tests.systems.running import free_port, installed, served

PASSWORD = "rädicale-password"
_MKCALENDAR = """<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>{name}</D:displayname>
<C:supported-calendar-component-set><C:comp name="{component}"/>
</C:supported-calendar-component-set>
</D:prop></D:set></C:mkcalendar>"""
_RIGHTS = """
[read-only]
user: reader
collection: .*
permissions: rR

[owner]
user: (?!reader).+
collection: .*
permissions: rwRW
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str,
    url: str,
    body: str | bytes = b"",
    user: str = "ana",
    headers: Mapping[str, str] | None = None,
) -> Said:
    """A request as some other program would make it."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data or None, dict(headers or {}), method=method)
    credentials = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Said(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Said(error.code, dict(error.headers), error.read())


@dataclass(frozen=True, slots=True)
class PersonsCalendar:
    """A calendar, seen and edited by a person's own program.

    Args:
        url: of the collection.
    """

    url: str

    def events(self) -> list[Any]:
        """Every event that is there, each by its own address."""
        whole = send("GET", self.url)
        assert whole.status == 200, whole
        return _events(whole.body)

    def event(self, name: str) -> Any:
        """One event."""
        return _events(self.text(name))[0]

    def text(self, name: str) -> str:
        """One resource as it is."""
        said = send("GET", self.url + quote(name))
        assert said.status == 200, said
        return said.body.decode()

    def put(self, name: str, text: str | bytes) -> None:
        """Write a resource, whatever was there."""
        said = send("PUT", self.url + quote(name), text, headers={"Content-Type": "text/calendar"})
        assert said.status in (201, 204), said

    def delete(self, name: str) -> None:
        """Take a resource away."""
        assert send("DELETE", self.url + quote(name)).status in (200, 204)


@dataclass(frozen=True, slots=True)
class Radicale:
    """The running server.

    Args:
        address: of its root, without a slash.
    """

    address: str

    def calendar(self, name: str, component: str = "VEVENT") -> PersonsCalendar:
        """A new calendar of Ana's."""
        url = f"{self.address}/ana/{name}/"
        made = send("MKCALENDAR", url, _MKCALENDAR.format(name=name, component=component))
        assert made.status == 201, made
        return PersonsCalendar(url)


def _events(
    text: str | bytes,
) -> list[Any]:  # of `Event`, any of whose properties may be of any kind
    found = Calendar.from_ical(text).walk("VEVENT")
    return list(found)


@contextmanager
def radicale(folder: Path) -> Iterator[Radicale]:
    """The server, with its storage in a folder.

    Users are `ana`, `ben` and `reader`, who may only read; all have the same password.
    """
    environment, port = installed("radicale"), free_port()
    users = folder / "users"
    users.write_text("".join(f"{name}:{PASSWORD}\n" for name in ("ana", "ben", "reader")))
    rights = folder / "rights"
    rights.write_text(_RIGHTS)
    settings = {
        "server-hosts": f"127.0.0.1:{port}",
        "auth-type": "htpasswd",
        "auth-htpasswd-filename": users,
        "auth-htpasswd-encryption": "plain",
        "auth-delay": 0,
        "rights-type": "from_file",
        "rights-file": rights,
        "storage-filesystem-folder": folder / "storage",
        "logging-level": "warning",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = [str(environment / "bin/python3"), "-m", "radicale", "--config", "", *options]
    with served(command, port, folder / "log"):
        yield Radicale(f"http://127.0.0.1:{port}")
