"""The client against the sandbox: a real server that behaves as the API is documented."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from zimun_sync.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    NotFound,
    PageTokenExpired,
    RequestRefused,
    ScopeMissing,
    SlotTaken,
    SourceError,
)
from zimun_sync.sandbox import Sandbox, SandboxOptions, read_fault
from zimun_sync.zimun import ClientSettings, Contact, HoldRequest, ZimunClient

if TYPE_CHECKING:
    from tests.zimun.conftest import FakeTime

ZOE = Contact(contact_name="Zoë Ünal", contact_email="zoe@example.com")
Enter = Callable[..., ZimunClient]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=300)) as sandbox:
        yield sandbox


@pytest.fixture
def enter(sandbox: Sandbox, time: "FakeTime") -> Iterator[Enter]:
    """Clients whose waits move the sandbox's clock too; it forgets its faults afterwards."""

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        sandbox.clock.advance(seconds)

    timing = msgspec.structs.replace(time.timing, sleep=sleep)
    clients: list[ZimunClient] = []

    def enter(**settings: object) -> ZimunClient:
        given = {
            "base_url": sandbox.base_url,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
            "page_size": 50,
            **settings,
        }
        known = ClientSettings.model_validate(given)
        clients.append(ZimunClient(known, timing=timing))
        return clients[-1]

    yield enter
    sandbox.faults.clear()
    for client in clients:
        client.close()


def free_slot(client: ZimunClient, sandbox: Sandbox) -> HoldRequest:
    locations = [each.location_id for each in client.locations()]
    answer = client.availability(sandbox.service_id, days_ahead=14, location_id=locations[0])
    slot = answer.slots[-1]
    service = next(s for s in client.services() if s.service_id == sandbox.service_id)
    return HoldRequest(
        organization_id=client.organization().organization_id,
        service_id=sandbox.service_id,
        location_id=slot.location_id,
        staff_id=slot.staff_id,
        appointment_time=slot.time,
        appointment_duration=int(service.duration or 30),
    )


def test_every_stream_can_be_listed_to_its_end(sandbox: Sandbox, enter: Enter) -> None:
    client = enter()
    assert len(list(client.pages("appointments"))) >= 300 / 50
    assert len({each.appointment_id for each in client.appointments()}) >= 300
    assert client.organization().organization_id == sandbox.organization_id
    for records in (client.services, client.staff, client.resources, client.locations):
        assert list(records())


def test_threads_share_a_client(sandbox: Sandbox, enter: Enter) -> None:
    client = enter()
    sandbox.observed.reset()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: list(client.appointments()), range(6)))
    assert all(each == found[0] for each in found)
    assert sandbox.observed.report()["requests"]["token"] == 1


def test_a_record_by_id_is_the_record_that_was_listed(enter: Enter) -> None:
    client = enter()
    item = client.page("appointments").items[0]
    key = msgspec.json.decode(item)["appointment_id"]
    [single] = client.record("appointments", key).items
    assert msgspec.json.decode(single) == msgspec.json.decode(item)
    with pytest.raises(NotFound):
        client.record("appointments", "a_nobody")


@pytest.mark.parametrize("style", ["patch", "post"])
def test_a_booking_from_slot_to_cancellation(sandbox: Sandbox, enter: Enter, style: str) -> None:
    client = enter(change_style=style)
    request = free_slot(client, sandbox)
    hold = client.hold(request)
    with pytest.raises(SlotTaken):
        client.hold(request)
    booked = client.confirm(hold.hold_id, ZOE)
    assert booked.appointment_time == request.appointment_time
    later = free_slot(client, sandbox).appointment_time
    moved = client.reschedule(booked.appointment_id, later)
    assert moved.appointment_time == later
    assert client.cancel(booked.appointment_id).status == "cancelled"
    assert client.appointment(booked.appointment_id).status == "cancelled"
    assert client.hold(free_slot(client, sandbox)).hold_id != hold.hold_id


@pytest.mark.parametrize("style", ["delete", "post"])
def test_a_released_hold_frees_its_slot(sandbox: Sandbox, enter: Enter, style: str) -> None:
    client = enter(release_style=style)
    request = free_slot(client, sandbox)
    client.release_hold(client.hold(request).hold_id)
    client.release_hold(client.hold(request).hold_id)


def test_the_same_key_holds_once_and_another_body_with_it_is_refused(
    sandbox: Sandbox, enter: Enter
) -> None:
    client = enter()
    request = free_slot(client, sandbox)
    key = f"key-{request.appointment_time:%s}"
    first = client.hold(request, idempotency_key=key)
    assert client.hold(request, idempotency_key=key) == first
    other = msgspec.structs.replace(
        request, appointment_time=request.appointment_time - timedelta(days=1)
    )
    with pytest.raises(RequestRefused):
        client.hold(other, idempotency_key=key)


def test_webhooks_come_and_go(enter: Enter) -> None:
    client = enter()
    made = client.register_webhook(
        "http://127.0.0.1:9/hook", ["appointment.created"], "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2U="
    )
    assert made.webhook_id in {each.webhook_id for each in client.webhooks()}
    client.remove_webhook(made.webhook_id)
    assert made.webhook_id not in {each.webhook_id for each in client.webhooks()}


def test_a_wrong_secret_fails_at_once(enter: Enter, time: "FakeTime") -> None:
    with pytest.raises(AuthenticationFailed, match="POST /oauth/token"):
        enter(client_secret="wrong").page("appointments")
    assert time.slept == []


def test_a_scope_that_was_not_asked_for_is_missing(enter: Enter) -> None:
    client = enter(scopes=("org:read",))
    assert client.organization().organization_id
    with pytest.raises(ScopeMissing) as caught:
        client.page("appointments")
    assert "appointments:read" in caught.value.hint


PASSING = [
    "429:retry-after=7",
    "503:retry-after=date+7",
    "503:retry-after=past",
    "429:retry-after=garbage",
    "503:times=3",
    "revoke-token",
    "drop",
    "html",
    "missing-next-page-token",
    "truncate:mode=length",
    "truncate:mode=chunk",
    "truncate:mode=close",
]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_loses_and_doubles_nothing(
    sandbox: Sandbox, enter: Enter, fault: str
) -> None:
    client = enter()
    expected = [bytes(item) for page in client.pages("appointments") for item in page.items]
    joined = fault + ("," if ":" in fault else ":") + "on=2"
    sandbox.faults.order(read_fault(joined))
    sandbox.observed.reset()
    listed = [bytes(item) for page in client.pages("appointments") for item in page.items]
    assert listed == expected
    assert sandbox.observed.report()["too_early"] == 0


LASTING: list[tuple[str, type[SourceError]]] = [
    ("missing-next-page-token:times=0", MalformedAnswer),
    ("truncate:mode=close,times=0", MalformedAnswer),
    ("html:times=0", MalformedAnswer),
    ("gzip-bomb", MalformedAnswer),
    ("huge-page", MalformedAnswer),
    ("redirect", RequestRefused),
    ("expire-page-token:page=2", PageTokenExpired),
    ("cycle:on=2,times=0", MalformedAnswer),
]


@pytest.mark.parametrize(("fault", "error"), LASTING)
def test_a_fault_that_lasts_has_a_name(
    sandbox: Sandbox, enter: Enter, fault: str, error: type[SourceError]
) -> None:
    sandbox.faults.order(read_fault(fault))
    with pytest.raises(error) as caught:
        list(enter().pages("appointments"))
    assert caught.value.hint
