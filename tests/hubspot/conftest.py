"""A fake HubSpot, and remotes that are connected to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from tests.hubspot.fake import TOKEN, FakeHubspot
from zimun_connectors.hubspot.config import HubspotSettings
from zimun_connectors.hubspot.remote import HubspotRemote
from zimun_sync.remotes.contract import Item, RemoteContext

START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)

Make = Callable[..., HubspotRemote]


def context() -> RemoteContext:
    return RemoteContext("crm", lambda: START, Event(), lambda: None)


def settings_of(fake: FakeHubspot, **settings: Any) -> HubspotSettings:
    credentials = {} if "client_id" in settings else {"token": TOKEN}
    given = {"start_from": "all", "base_url": fake.url, "allow_private": True}
    return HubspotSettings.model_validate({**given, **credentials, **settings})


def person(name: str = "ana", **fields: Any) -> Item:
    email = f"{name}@example.com"
    return Item(f"email:{email}", {"email": email, "firstname": name.title(), **fields})


def meeting(number: int = 1, **fields: Any) -> Item:
    known = {"hs_meeting_title": f"Cut {number}", "hs_timestamp": START}
    return Item(f"main/a_{number}", {**known, **fields})


@pytest.fixture
def fake() -> Iterator[FakeHubspot]:
    with FakeHubspot() as fake:
        yield fake


@pytest.fixture
def make(fake: FakeHubspot) -> Iterator[Make]:
    """Makes remotes with further settings, and closes them."""
    made: list[HubspotRemote] = []

    def make(**settings: Any) -> HubspotRemote:
        made.append(HubspotRemote(settings_of(fake, **settings)))
        return made[-1]

    yield make
    for remote in made:
        remote.close()


@pytest.fixture
def remote(make: Make, fake: FakeHubspot) -> HubspotRemote:
    """Connected and prepared; the calls that this took are not counted."""
    remote = make()
    remote.connect(context())
    remote.prepare()
    fake.calls.clear()
    return remote
