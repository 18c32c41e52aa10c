"""The daemon and its webhooks: bookings arrive; what is forged, odd or repeated does no harm."""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance import contents
from tests.acceptance.asking import HTTP
from tests.acceptance.daemon import (
    Daemon,
    Shared,
    fresh_secret,
    serve_settings,
    serving,
    shared_daemon,
    until,
)
from tests.acceptance.program import Project
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance
ROWS = 400
OLD_SECRET = fresh_secret()


@pytest.fixture
def sandbox(serve: Callable[..., Sandbox]) -> Sandbox:
    return serve(appointments=ROWS)


@pytest.fixture
def project(new_project: Callable[..., Project], sandbox: Sandbox) -> Project:
    made = new_project(sandbox.base_url)
    serve_settings(made, fresh_secret())
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One whose keys were rotated, for all tests that leave it running."""
    with shared_daemon(tmp_path_factory.mktemp("shared"), ROWS, OLD_SECRET) as found:
        yield found


def secret_of(project: Project) -> str:
    secret: str = project.source["webhook_secrets"][0]
    return secret


class Customers:
    """People who book through the API."""

    def __init__(self, sandbox: Sandbox) -> None:
        token = HTTP.post(
            f"{sandbox.base_url.removesuffix('/api/v1')}/oauth/token",
            auth=(sandbox.client_id, sandbox.client_secret),
            data={"grant_type": "client_credentials"},
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.api = httpx.Client(base_url=sandbox.base_url, headers=headers, timeout=30)
        self.organization = self.api.get("/organization").json()["organization_id"]

    def orders(self, count: int) -> list[dict[str, Any]]:
        """That many orders for slots of which no two are in each other's way."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for service in self.api.get("/services", params={"page_size": 50}).json()["items"]:
            asked = {"service_id": service["service_id"], "days_ahead": 60}
            for slot in self.api.get("/availability", params=asked).json()["slots"]:
                day = (str(slot.get("staff_id")), slot["start"][:10])
                found.setdefault(day, self._order(service, slot))
        orders = list(found.values())
        assert len(orders) >= count
        return orders[:count]

    def _order(self, service: dict[str, Any], slot: dict[str, Any]) -> dict[str, Any]:
        place = {name: slot[name] for name in ("staff_id", "location_id") if slot.get(name)}
        return place | {
            "organization_id": self.organization,
            "service_id": service["service_id"],
            "appointment_time": slot["start"],
            "appointment_duration": service["duration"],
        }

    def book(self, order: dict[str, Any]) -> str:
        held = self.api.post("/appointments/hold", json=order).raise_for_status().json()
        contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@example.com"}
        confirmed = self.api.post(
            "/appointments/confirm", json={"hold_id": held["hold_id"], **contact}
        )
        key: str = confirmed.raise_for_status().json()["appointment_id"]
        return key


@pytest.fixture
def customers(sandbox: Sandbox) -> Iterator[Customers]:
    found = Customers(sandbox)
    yield found
    found.api.close()


def same_as_source(project: Project, sandbox: Sandbox) -> bool:
    truth = contents.of_source(sandbox.control_url)
    return contents.of_duckdb(project.database) == truth == contents.of_csv(project.csv)


def event(appointment: dict[str, Any], kind: str = "appointment.updated") -> bytes:
    stamp = appointment.get("updated_at", "2026-11-21T00:00:00Z")
    return json.dumps({"type": kind, "timestamp": stamp, "data": appointment}).encode()


def quarantine(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon.project.run("quarantine", "list", "--json").json
    return found


def test_bookings_arrive_while_full_pulls_run(
    project: Project, sandbox: Sandbox, customers: Customers
) -> None:
    with serving(project, secret_of(project)) as daemon:
        daemon.wait_for_first_pull()
        daemon.register(sandbox)
        with ThreadPoolExecutor(4) as pool:
            pulls = pool.submit(lambda: [project.sync("--full") for _ in range(3)])
            keys = list(pool.map(customers.book, customers.orders(60)))
            assert all(ended.code == 0 for ended in pulls.result())
        assert len(set(keys)) == 60
        until(lambda: same_as_source(project, sandbox), "every booking is in every sink")
        for key in keys[:10]:
            customers.api.patch(f"/appointments/{key}", json={"status": "cancelled"})
        until(lambda: same_as_source(project, sandbox), "every cancellation is in every sink")
        assert "ada@example.com" not in daemon.log()
        assert "Lovelace" not in daemon.log()
        assert secret_of(project) not in daemon.log()


def test_repetitions_in_any_order_with_rotated_keys_end_in_the_same_content(
    shared: Shared,
) -> None:
    daemon, known = shared.daemon, shared.daemon.status()["in_quarantine"]
    records = [json.loads(each) for each in shared.sandbox.world.appointments.identified()][:20]
    sent = []
    for record in records:
        for version in range(3):
            changed = record | {"notes": f"version {version}", "updated_at": _stamp(version)}
            sent.append((f"{record['appointment_id']}-{version}", changed))
    chance = random.Random(7)
    for event_id, appointment in chance.sample(sent * 5, len(sent) * 5):
        secret = chance.choice([daemon.secret, OLD_SECRET])
        answer = daemon.send(event(appointment), event_id=event_id, secret=secret)
        assert answer.status_code == 202
    until(lambda: _notes(shared.project, records) == {"version 2"}, "the last versions stand")
    status = daemon.status()
    assert status["sources"]["main"]["inbox"]["waiting"] == 0
    assert status["in_quarantine"] == known


def _stamp(version: int = 0) -> str:
    """The time of an edit, later than everything that the sandbox made up."""
    return (datetime.now(UTC) + timedelta(days=1 + version)).isoformat()


def _notes(project: Project, items: list[dict[str, Any]]) -> set[str]:
    import duckdb

    keys = [item["appointment_id"] for item in items]
    query = "SELECT DISTINCT notes FROM appointments WHERE list_contains(?, appointment_id)"
    with duckdb.connect(project.database, read_only=True) as connection:
        return {notes for (notes,) in connection.execute(query, [keys]).fetchall()}


def test_what_is_forged_or_stale_or_too_large_stores_nothing(shared: Shared) -> None:
    daemon, known = shared.daemon, shared.daemon.status()["in_quarantine"]
    good = event({"appointment_id": "a_forged", "appointment_time": "2026-12-01T09:00:00Z"})
    url = f"{daemon.url}/webhooks/main"
    answers = {
        "unsigned": HTTP.post(url, content=good),
        "wrong key": daemon.send(good, event_id="f1", secret=fresh_secret()),
        "stale": daemon.send(good, event_id="f2", at=1_700_000_000),
        "not text": HTTP.post(url, content=b"\xff\xfe\x00"),
        "not json": HTTP.post(url, content=b"{", headers={"webhook-id": "x"}),
        "too large": daemon.send(b" " * 1_100_000, event_id="f3"),
        "unknown source": HTTP.post(f"{daemon.url}/webhooks/other", content=good),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "unsigned": 401,
        "wrong key": 401,
        "stale": 401,
        "not text": 401,
        "not json": 401,
        "too large": 413,
        "unknown source": 404,
    }
    status = daemon.status()
    assert (status["sources"]["main"]["inbox"]["waiting"], status["in_quarantine"]) == (0, known)
    assert same_as_source(shared.project, shared.sandbox)
    assert daemon.get("/readyz").status_code == 200


def test_authentic_events_that_nobody_understands_are_kept_once(shared: Shared) -> None:
    daemon, known = shared.daemon, shared.daemon.status()["in_quarantine"]
    odd = {"e1": b"\xff\xfe", "e2": b"[]", "e3": b'{"type": "invoice.paid", "data": {}}'}
    for event_id, body in [*odd.items(), *odd.items()]:
        assert daemon.send(body, event_id=event_id).status_code == 202
    until(lambda: daemon.status()["in_quarantine"] == known + 3, "they are in quarantine")
    found = quarantine(daemon)
    assert {entry["key"] for entry in found} == {f"event:{each}" for each in odd}
    assert all(entry["attempts"] == 1 for entry in found)
    assert same_as_source(shared.project, shared.sandbox)


def test_every_acknowledged_event_survives_kill_9(
    project: Project, sandbox: Sandbox, customers: Customers
) -> None:
    secret = secret_of(project)
    with serving(project, secret) as daemon:
        daemon.wait_for_first_pull()
        items = customers.api.get("/appointments", params={"page_size": 200}).json()["items"]
        acknowledged = []

        def send(item: dict[str, Any]) -> None:
            changed = item | {"notes": "acknowledged", "updated_at": _stamp()}
            key = item["appointment_id"]
            try:
                if daemon.send(event(changed), event_id=key).status_code == 202:
                    acknowledged.append(key)
            except httpx.TransportError:
                return  # nobody answered: nothing was promised
            if len(acknowledged) == 60:
                daemon.process.kill()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, items))
    assert 60 <= len(acknowledged) < len(items)
    with serving(project, secret):
        until(
            lambda: _noted(project, "acknowledged") >= set(acknowledged),
            "every acknowledged event is in DuckDB",
        )


def _noted(project: Project, notes: str) -> set[str]:
    import duckdb

    query = "SELECT appointment_id FROM appointments WHERE notes = ?"
    with duckdb.connect(project.database, read_only=True) as connection:
        return {key for (key,) in connection.execute(query, [notes]).fetchall()}
