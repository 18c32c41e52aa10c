"""Webhooks: registered, signed, told of every change, and told again until they have heard."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest

from zimun_sync.sandbox import Sandbox

SECRET = "whsec_" + b64encode(b"0123456789abcdef0123456789abcdef").decode()
Order = dict[str, object]


@dataclass
class Receiver:
    """An HTTP server that answers with `answers` first and 204 after that."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: Queue[tuple[dict[str, str], bytes]] = field(default_factory=Queue)

    def next(self) -> tuple[dict[str, str], bytes]:
        """The next delivery."""
        return self.heard.get(timeout=20)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(found.answers.pop(0) if found.answers else 204)
            self.end_headers()
            found.heard.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/hook?from=sandbox"
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def sandbox(serve: Any) -> Sandbox:
    quick: Sandbox = serve(appointments=0, webhook_retry_seconds=0.01)
    return quick


def register(api: httpx.Client, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = api.post("/webhooks", json={"url": receiver.url, "secret": SECRET, **more})
    assert answer.status_code == 201, answer.text
    registered: dict[str, Any] = answer.json()
    return registered


def book(api: httpx.Client, order: Order) -> str:
    hold_id = api.post("/appointments/hold", json=order).json()["hold_id"]
    body = {"hold_id": hold_id, "contact_name": "Ada", "contact_email": "ada@example.com"}
    key: str = api.post("/appointments/confirm", json=body).json()["appointment_id"]
    return key


def is_signed(headers: dict[str, str], body: bytes) -> bool:
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), content, "sha256")
    return headers["webhook-signature"] == "v1," + b64encode(digest).decode()


def test_every_change_is_told_with_the_whole_appointment(
    api: httpx.Client, receiver: Receiver, order: Order
) -> None:
    register(api, receiver)
    key = book(api, order)
    heard = [receiver.next()]  # one after the other: nothing promises their order
    created = api.get(f"/appointments/{key}").json()
    api.patch(f"/appointments/{key}", json={"notes": "später"})
    heard.append(receiver.next())
    changed = api.get(f"/appointments/{key}").json()
    api.post("/appointments/cancel", json={"booking_id": key})
    heard.append(receiver.next())
    cancelled = api.get(f"/appointments/{key}").json()
    assert all(is_signed(headers, body) for headers, body in heard)
    assert [json.loads(body)["type"] for _, body in heard] == [
        "appointment.created",
        "appointment.updated",
        "appointment.cancelled",
    ]
    assert [json.loads(body)["data"] for _, body in heard] == [created, changed, cancelled]
    assert len({headers["webhook-id"] for headers, _ in heard}) == 3


def test_timestamps_follow_the_sandboxs_clock(
    sandbox: Sandbox, api: httpx.Client, receiver: Receiver, order: Order
) -> None:
    register(api, receiver)
    sandbox.clock.advance(3000)
    before = sandbox.clock.now().timestamp()
    book(api, order)
    headers, _ = receiver.next()
    assert int(before) <= int(headers["webhook-timestamp"]) <= before + 60


def test_what_was_not_taken_is_sent_again(
    api: httpx.Client, receiver: Receiver, order: Order, control: httpx.Client
) -> None:
    receiver.answers += [500, 503, 302, 400]
    webhook = register(api, receiver)
    book(api, order)
    attempts = [receiver.next() for _ in range(5)]
    assert len({body for _, body in attempts}) == 1
    assert len({headers["webhook-id"] for headers, _ in attempts}) == 1
    assert all(is_signed(headers, body) for headers, body in attempts)
    book(api, another(api, order))
    receiver.next()
    report = control.get("/deliveries").json()[webhook["id"]]
    assert (report["failed"], report["waiting"]) == (4, 0)


def another(api: httpx.Client, order: Order) -> Order:
    """The same for a slot that is still free: who works when depends on the day of the week."""
    answer = api.get(f"/availability?service_id={order['service_id']}&days_ahead=7")
    slot = answer.json()["slots"][-1]
    return order | {"appointment_time": slot["start"], "staff_id": slot["staff_id"]}


def test_only_events_asked_for_are_told(
    api: httpx.Client, receiver: Receiver, order: Order
) -> None:
    register(api, receiver, events=["appointment.cancelled"])
    key = book(api, order)
    api.patch(f"/appointments/{key}", json={"status": "cancelled"})
    assert json.loads(receiver.next()[1])["type"] == "appointment.cancelled"


def test_registrations_are_listed_without_their_secret_and_removed(
    api: httpx.Client, receiver: Receiver, order: Order
) -> None:
    webhook = register(api, receiver)
    assert webhook["secret"] == SECRET
    (listed,) = api.get("/webhooks").json()["items"]
    assert listed == {name: value for name, value in webhook.items() if name != "secret"}
    assert api.delete(f"/webhooks/{webhook['id']}").status_code == 204
    assert api.delete(f"/webhooks/{webhook['id']}").status_code == 404
    second = register(api, receiver)
    book(api, order)
    receiver.next()
    assert api.get("/webhooks").json()["items"][0]["id"] == second["id"]
    assert receiver.heard.empty()


def test_a_secret_is_made_unless_it_is_given(api: httpx.Client, receiver: Receiver) -> None:
    secret = api.post("/webhooks", json={"url": receiver.url}).json()["secret"]
    assert len(b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://example.com/"},
        {"url": "http:///nowhere"},
        {"url": "http://example.com:99999/"},
        {"url": "http://exa mple.com/"},
        {"events": []},
        {"events": ["appointment.lost"]},
        {"secret": "plain"},
        {"secret": "whsec_***"},
        {"secret": "whsec_"},
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(
    api: httpx.Client, receiver: Receiver, change: dict[str, Any]
) -> None:
    body = {"url": receiver.url, "secret": SECRET} | change
    assert api.post("/webhooks", json=body).status_code == 422
    assert api.get("/webhooks").json()["items"] == []


def test_a_receiver_that_is_away_holds_up_nobody_and_ends_with_the_sandbox(
    api: httpx.Client, receiver: Receiver, order: Order
) -> None:
    away = Receiver(url="http://127.0.0.1:9/closed")
    register(api, away)
    register(api, receiver)
    book(api, order)
    assert is_signed(*receiver.next())
