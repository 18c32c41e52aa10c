"""A fake Salesforce, and a remote that is connected to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from tests.salesforce.fake import CLIENT_ID, CLIENT_SECRET, FakeSalesforce
from zimun_connectors.salesforce import SalesforceRemote, SalesforceSettings
from zimun_sync.remotes.contract import Item, RemoteContext

START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)

Make = Callable[..., SalesforceRemote]


class Clock:
    """Only moves when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


def contact(key: str, **fields: Any) -> Item:
    return Item(key, {"LastName": "Ruiz", "Email": key.removeprefix("email:"), **fields})


def event(key: str, **fields: Any) -> Item:
    values = {"Subject": "Cut", "StartDateTime": START, "DurationInMinutes": 30}
    return Item(key, {**values, **fields})


@pytest.fixture
def fake() -> Iterator[FakeSalesforce]:
    with FakeSalesforce() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(fake: FakeSalesforce) -> dict[str, Any]:
    """What every remote on the fake is given."""
    return {
        "start_from": "all",
        "login_url": fake.url,
        "allow_private": True,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }


@pytest.fixture
def make(settings: dict[str, Any]) -> Iterator[Make]:
    """Makes a remote that is not connected yet."""
    made: list[SalesforceRemote] = []

    def make(**more: Any) -> SalesforceRemote:
        given = {name: value for name, value in (settings | more).items() if value is not ...}
        remote = SalesforceRemote(SalesforceSettings.model_validate(given))
        made.append(remote)
        return remote

    yield make
    for remote in made:
        remote.close()


@pytest.fixture
def calls() -> list[int]:
    """One entry for each call that the engine was told of."""
    return []


@pytest.fixture
def context(clock: Clock, calls: list[int]) -> RemoteContext:
    return RemoteContext("crm", clock, Event(), lambda: calls.append(1))


@pytest.fixture
def remote(make: Make, context: RemoteContext) -> SalesforceRemote:
    remote = make()
    remote.connect(context)
    return remote
