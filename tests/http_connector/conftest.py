"""Fake systems on loopback, and remotes that are connected to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from tests.http_connector.odoo import DATABASE, FakeOdoo
from tests.http_connector.odoo import TOKEN as ODOO_TOKEN
from tests.http_connector.square import TOKEN as SQUARE_TOKEN
from tests.http_connector.square import FakeSquare
from zimun_connectors.http import HttpRemote, HttpSettings, remote_of
from zimun_sync.remotes.contract import Done, Outcome, Refused, RemoteContext

NOW = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)

Connect = Callable[..., HttpRemote]


def context() -> RemoteContext:
    return RemoteContext("crm", lambda: NOW, Event(), lambda: None)


def square_settings(url: str, **further: Any) -> dict[str, Any]:
    return {
        "recipe": "square",
        "start_from": "all",
        "base_url": url,
        "allow_private": True,
        "auth": {"token": SQUARE_TOKEN},
        "constants": {"location_id": "L1", "team_member_id": "TM-HOUSE"},
        "limits": {"calls": 100_000},
        **further,
    }


def odoo_settings(url: str, **further: Any) -> dict[str, Any]:
    return {
        "recipe": "odoo",
        "start_from": "all",
        "base_url": url,
        "allow_private": True,
        "auth": {"token": ODOO_TOKEN},
        "constants": {"database": DATABASE},
        "limits": {"calls": 100_000},
        **further,
    }


@pytest.fixture
def square() -> Iterator[FakeSquare]:
    with FakeSquare() as system:
        yield system


@pytest.fixture
def odoo() -> Iterator[FakeOdoo]:
    with FakeOdoo() as system:
        yield system


def done(outcome: Outcome) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a remote of these settings; closes it in the end."""
    made: list[HttpRemote] = []

    def connected(settings: dict[str, Any]) -> HttpRemote:
        made.append(remote_of(HttpSettings.model_validate(settings)))
        made[-1].connect(context())
        return made[-1]

    yield connected
    for remote in made:
        remote.close()
