"""Every documented call: what is sent, and what is made of the answer."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from zimun_sync.errors import MalformedAnswer, NotFound, RequestRefused, SlotTaken
from zimun_sync.zimun import (
    Appointment,
    Contact,
    Hold,
    HoldRequest,
    Price,
    Service,
    Webhook,
    ZimunClient,
)

if TYPE_CHECKING:
    from tests.zimun.conftest import FakeApi

MakeClient = Callable[..., ZimunClient]

WHEN = datetime(2026, 11, 23, 9, 45, tzinfo=timezone(timedelta(hours=-5)))
ZOE = Contact(contact_name="Zoë Ünal", contact_email="zoe@example.com")
BOOKED = {"appointment_id": "a_1", "appointment_time": "2026-11-23T09:45:00-05:00"}
REQUEST = HoldRequest(
    organization_id="o_1", service_id="s_1", appointment_time=WHEN, appointment_duration=30
)


def ok(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def sent(request: httpx.Request) -> tuple[str, str, Any]:
    content = msgspec.json.decode(request.content) if request.content else None
    return request.method, request.url.path.removeprefix("/api/v1"), content


@pytest.mark.parametrize("name", ["start", "appointment_time"])
def test_availability(api: "FakeApi", client: ZimunClient, name: str) -> None:
    api.answers(
        ok(
            {
                "slots": [{name: "2026-11-23T09:45:00-05:00", "new": 1}],
                "holidays": {"2026-12-25": "Christmas Day"},
            }
        )
    )
    answer = client.availability("s_123", days_ahead=7, staff_id="st_1")
    assert [slot.time for slot in answer.slots] == [WHEN]
    assert answer.holidays == {date(2026, 12, 25): "Christmas Day"}
    assert api.requests[0].url.path == "/api/v1/availability"
    assert dict(api.requests[0].url.params) == {
        "service_id": "s_123",
        "days_ahead": "7",
        "staff_id": "st_1",
    }


def test_a_slot_without_a_time_is_malformed(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok({"slots": [{"staff_id": "st_1"}]}))
    with pytest.raises(MalformedAnswer, match="no start"):
        client.availability("s_123")


def test_hold(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok({"hold_id": "h_1", "expires_at": "2026-11-20T12:10:00Z"}))
    hold = client.hold(REQUEST)
    assert hold == Hold(hold_id="h_1", expires_at=datetime(2026, 11, 20, 12, 10, tzinfo=UTC))
    assert sent(api.requests[0]) == (
        "POST",
        "/appointments/hold",
        {
            "organization_id": "o_1",
            "service_id": "s_1",
            "appointment_time": "2026-11-23T09:45:00-05:00",
            "appointment_duration": 30,
        },
    )


def test_a_time_without_offset_is_never_sent(api: "FakeApi", client: ZimunClient) -> None:
    naive = WHEN.replace(tzinfo=None)
    with pytest.raises(ValueError, match="needs an offset"):
        HoldRequest(organization_id="o_1", appointment_time=naive, appointment_duration=30)
    with pytest.raises(ValueError, match="needs an offset"):
        client.reschedule("a_1", naive)
    assert api.requests == []


@pytest.mark.parametrize(
    ("style", "method", "path"),
    [
        ("delete", "DELETE", "/appointments/hold/h_1"),
        ("post", "POST", "/appointments/hold/h_1/release"),
    ],
)
def test_release_hold(
    api: "FakeApi", make_client: MakeClient, style: str, method: str, path: str
) -> None:
    api.answers(httpx.Response(204))
    make_client(release_style=style).release_hold("h_1")
    assert sent(api.requests[0])[:2] == (method, path)


def test_confirm(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok({**BOOKED, "status": "confirmed", "price": {"amount": "45.10"}}))
    appointment = client.confirm("h_1", ZOE)
    assert appointment.appointment_id == "a_1"
    assert appointment.appointment_time == WHEN
    assert appointment.price == Price(amount=Decimal("45.10"))
    assert sent(api.requests[0]) == (
        "POST",
        "/appointments/confirm",
        {"hold_id": "h_1", "contact_name": "Zoë Ünal", "contact_email": "zoe@example.com"},
    )


def test_reschedule_and_cancel_by_patch(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok(BOOKED))
    client.reschedule("a_1", WHEN)
    client.cancel("a_1")
    assert [sent(request) for request in api.requests] == [
        ("PATCH", "/appointments/a_1", {"appointment_time": "2026-11-23T09:45:00-05:00"}),
        ("PATCH", "/appointments/a_1", {"status": "cancelled"}),
    ]


def test_reschedule_and_cancel_by_post(api: "FakeApi", make_client: MakeClient) -> None:
    client = make_client(change_style="post", identifier_field="booking_id")
    api.answers(ok(BOOKED))
    client.reschedule("a_1", WHEN)
    client.cancel("a_1")
    assert [sent(request) for request in api.requests] == [
        (
            "POST",
            "/appointments/reschedule",
            {"booking_id": "a_1", "appointment_time": "2026-11-23T09:45:00-05:00"},
        ),
        ("POST", "/appointments/cancel", {"booking_id": "a_1"}),
    ]


def test_a_change_answered_without_content_is_done(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(204))
    assert client.cancel("a_1") == Appointment(appointment_id="a_1")
    assert len(api.requests) == 1


@pytest.mark.parametrize("name", ["appointment_id", "booking_id", "id"])
def test_an_identifier_is_found_under_each_of_its_names(
    api: "FakeApi", client: ZimunClient, name: str
) -> None:
    api.answers(ok({name: "a_9", "status": "a status nobody has seen", "new": {}}))
    assert client.appointment("a_9").appointment_id == "a_9"


@pytest.mark.parametrize(
    "body", [{}, {"appointment_id": ""}, {"appointment_id": 7}, {**BOOKED, "appointment_time": "9"}]
)
def test_an_appointment_that_is_none_is_malformed(
    api: "FakeApi", client: ZimunClient, body: dict[str, Any]
) -> None:
    api.answers(ok(body))
    with pytest.raises(MalformedAnswer, match="GET /appointments/a_9"):
        client.appointment("a_9")


@pytest.mark.parametrize("status", [404, 410])
def test_an_appointment_that_is_gone(api: "FakeApi", client: ZimunClient, status: int) -> None:
    api.answers(httpx.Response(status))
    with pytest.raises(NotFound, match="GET /appointments/a_9"):
        client.appointment("a_9")


def test_typed_listings(api: "FakeApi", client: ZimunClient) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        name = {"staff": "staff_id", "services": "service_id"}.get(request.url.path.split("/")[-1])
        key = name or request.url.path.split("/")[-1].rstrip("s") + "_id"
        return ok({"items": [{key: "x_1", "new": 1}], "next_page_token": None})

    api.answers(answer)
    assert list(client.services()) == [Service(service_id="x_1")]
    assert [each.staff_id for each in client.staff()] == ["x_1"]
    assert [each.resource_id for each in client.resources()] == ["x_1"]
    assert [each.location_id for each in client.locations()] == ["x_1"]
    assert [each.appointment_id for each in client.appointments()] == ["x_1"]
    api.answers(ok({"organization_id": "o_1", "timezone": "Europe/Berlin"}))
    assert client.organization().timezone == "Europe/Berlin"


def test_a_record_that_cannot_be_typed_names_the_way_around(
    api: "FakeApi", client: ZimunClient
) -> None:
    api.answers(ok({"items": [{"service_id": "s_1"}, {"name": "x"}], "next_page_token": None}))
    services = client.services()
    assert next(services).service_id == "s_1"
    with pytest.raises(MalformedAnswer, match="service_id") as caught:
        next(services)
    assert "pages()" in caught.value.hint


def test_webhooks(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok({"id": "w_1", "url": "https://me.example"}), ok([{"webhook_id": "w_1"}]))
    made = client.register_webhook("https://me.example", ["appointment.created"], "whsec_c2VjcmV0")
    assert (made.webhook_id, made.url) == ("w_1", "https://me.example")
    assert client.webhooks() == (Webhook(webhook_id="w_1"),)
    api.answers(ok({"items": [{"webhook_id": "w_2"}], "next_page_token": None}))
    assert client.webhooks() == (Webhook(webhook_id="w_2"),)
    api.answers(httpx.Response(204))
    client.remove_webhook("w_1")
    assert sent(api.requests[0]) == (
        "POST",
        "/webhooks",
        {
            "url": "https://me.example",
            "events": ["appointment.created"],
            "secret": "whsec_c2VjcmV0",
        },
    )
    assert sent(api.requests[-1])[:2] == ("DELETE", "/webhooks/w_1")


CALLS: list[Callable[[ZimunClient, str | None], object]] = [
    lambda client, key: client.hold(REQUEST, idempotency_key=key),
    lambda client, key: client.confirm("h_1", ZOE, idempotency_key=key),
    lambda client, key: client.reschedule("a_1", WHEN, idempotency_key=key),
    lambda client, key: client.cancel("a_1", idempotency_key=key),
    lambda client, key: client.register_webhook("https://x", [], "s", idempotency_key=key),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("key", [None, "booking-42"])
def test_one_idempotency_key_survives_every_kind_of_retry(
    api: "FakeApi",
    client: ZimunClient,
    call: Callable[[ZimunClient, str | None], object],
    key: str | None,
) -> None:
    api.answers(
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(401),
        httpx.Response(200, content=b"{"),
        ok({**BOOKED, "hold_id": "h_1", "webhook_id": "w_1"}),
    )
    call(client, key)
    keys = {request.headers["idempotency-key"] for request in api.requests}
    assert len(api.requests) == 5
    assert len(keys) == 1
    assert keys == {key} or key is None
    assert len({request.content for request in api.requests}) == 1


def test_each_call_has_a_key_of_its_own(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(ok(BOOKED))
    client.cancel("a_1")
    client.cancel("a_1")
    assert len({request.headers["idempotency-key"] for request in api.requests}) == 2


@pytest.mark.parametrize("key", ["two\r\nlines", "schlüssel", "with space", "x" * 256])
def test_a_key_that_fits_no_header_is_refused(
    api: "FakeApi", client: ZimunClient, key: str
) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        client.cancel("a_1", idempotency_key=key)
    assert api.requests == []


def test_a_slot_that_is_taken(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(409, json={"message": "slot taken"}))
    with pytest.raises(SlotTaken, match="slot taken") as caught:
        client.hold(REQUEST)
    assert "availability" in caught.value.hint


def test_a_refusal_says_why_but_not_who(api: "FakeApi", client: ZimunClient) -> None:
    said = {"message": "Zoë Ünal <zoe@example.com>: contact_email is on the block list"}
    api.answers(httpx.Response(422, json=said))
    with pytest.raises(RequestRefused, match="contact_email is on the block list") as caught:
        client.confirm("h_1", ZOE)
    shown = f"{caught.value!r} {caught.value.hint}"
    assert caught.value.status == 422
    assert "Zoë" not in shown
    assert "zoe@" not in shown
