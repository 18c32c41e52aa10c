"""A real clinic's system for all tests here, and a database of it for each."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from tests.systems.gnuhealth import PASSWORD, USER, Clinic, GnuHealth, gnuhealth
from zimun_connectors.http import HttpRemote, HttpSettings, remote_of
from zimun_sync.remotes.contract import RemoteContext

#: What the remote takes for now.
NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)

Connect = Callable[..., HttpRemote]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GnuHealth]:
    with gnuhealth(tmp_path_factory.mktemp("gnuhealth")) as running:
        yield running


@pytest.fixture(scope="session")
def whole_clinic(server: GnuHealth) -> Clinic:
    """The clinic of all tests."""
    return server.clinic()


@pytest.fixture
def clinic(whole_clinic: Clinic) -> Clinic:
    """The clinic, in which nothing was entered yet."""
    whole_clinic.clear()
    return whole_clinic


@pytest.fixture
def connect(clinic: Clinic) -> Iterator[Connect]:
    """Connects a remote to the clinic; keywords are settings."""
    made: list[HttpRemote] = []

    def connected(**settings: Any) -> HttpRemote:
        remote = remote_of(settings_for(clinic.url, **settings))
        made.append(remote)
        remote.connect(context())
        return remote

    yield connected
    for remote in made:
        remote.close()


@pytest.fixture
def remote(connect: Connect) -> HttpRemote:
    """A remote, connected."""
    return connect()


def settings_for(url: str, **settings: Any) -> HttpSettings:
    """Settings of a sink on the clinic there."""
    given = {
        "recipe": "gnuhealth",
        "start_from": "all",
        "base_url": url,
        "allow_private": True,
        "auth": {"type": "basic", "username": USER, "password": PASSWORD},
        "limits": {"calls": 10_000},
        "constants": {"country": "AUT"},
    }
    return HttpSettings.model_validate(given | settings)


def context() -> RemoteContext:
    """What the engine would give."""
    return RemoteContext("clinic", lambda: NOW, Event(), lambda: None)
