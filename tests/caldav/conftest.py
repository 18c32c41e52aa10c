"""A real CalDAV server for all tests here, and a calendar of it for each."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from threading import Event
from typing import Any

import pytest

from tests.systems.radicale import PASSWORD, PersonsCalendar, Radicale, radicale
from zimun_connectors.caldav import CaldavRemote, CaldavSettings
from zimun_sync.remotes.contract import RemoteContext

#: What the remote takes for now.
NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)

Connect = Callable[..., CaldavRemote]
_numbers = count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("radicale")) as running:
        yield running


@pytest.fixture
def calendar(server: Radicale) -> PersonsCalendar:
    """An empty calendar."""
    return server.calendar(f"bookings-{next(_numbers)}")


@pytest.fixture
def connect(calendar: PersonsCalendar) -> Iterator[Connect]:
    """Connects a remote to the calendar; keywords are settings."""
    made: list[CaldavRemote] = []

    def connected(**settings: Any) -> CaldavRemote:
        remote = CaldavRemote(settings_for(calendar.url, **settings))
        made.append(remote)
        remote.connect(context())
        return remote

    yield connected
    for remote in made:
        remote.close()


@pytest.fixture
def remote(connect: Connect) -> CaldavRemote:
    """A remote, connected."""
    return connect()


def settings_for(url: str, **settings: Any) -> CaldavSettings:
    """Settings of a sink on the calendar there."""
    given = {
        "start_from": "all",
        "url": url,
        "allow_private": True,
        "username": "ana",
        "password": PASSWORD,
        "calls_per_second": 10_000,
    }
    return CaldavSettings.model_validate(given | settings)


def context() -> RemoteContext:
    """What the engine would give."""
    return RemoteContext("calendar", lambda: NOW, Event(), lambda: None)
