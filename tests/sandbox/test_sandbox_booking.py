"""Hold, confirm, reschedule, cancel: what the API promises, and no slot ever taken twice."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from zimun_sync.sandbox import Sandbox
from zimun_sync.sandbox.world import World, WorldOptions
from zimun_sync.sandbox.world.clock import Clock
from zimun_sync.sandbox.world.orders import ChangeOrder, ConfirmOrder, HoldOrder
from zimun_sync.sandbox.world.problem import ApiProblem
from zimun_sync.sandbox.world.schedule import Question

Order = dict[str, object]
WHO = {"contact_name": "Ada Example", "contact_email": "ada@example.com"}


@pytest.fixture
def sandbox(serve: Any) -> Sandbox:
    """A sandbox without bookings, so that every working hour of any week is free."""
    empty: Sandbox = serve(appointments=0)
    return empty


def later(order: Order, minutes: int) -> str:
    moved = datetime.fromisoformat(str(order["appointment_time"])) + timedelta(minutes=minutes)
    return moved.isoformat()


def book(api: httpx.Client, order: Order) -> dict[str, Any]:
    hold = api.post("/appointments/hold", json=order)
    assert hold.status_code == 201, hold.text
    body = {"hold_id": hold.json()["hold_id"], **WHO}
    confirmed = api.post("/appointments/confirm", json=body)
    assert confirmed.status_code == 201, confirmed.text
    booked: dict[str, Any] = confirmed.json()
    return booked


def slots(api: httpx.Client, **query: Any) -> list[str]:
    answer = api.get("/availability", params={"service_id": "s_cut", "days_ahead": 7, **query})
    return [slot["start"] for slot in answer.json()["slots"]]


def test_a_hold_becomes_an_appointment_that_is_listed(api: httpx.Client, order: Order) -> None:
    booked = book(api, order)
    assert booked["booking_id"] == booked["appointment_id"]
    assert booked["appointment_time"] == order["appointment_time"]
    assert (booked["status"], booked["appointment_duration"]) == ("confirmed", 45)
    assert booked["contact_email"] == WHO["contact_email"]
    listed = api.get("/appointments", params={"page_size": 500}).json()["items"]
    del booked["booking_id"]
    assert listed[-1] == booked == api.get(f"/appointments/{booked['appointment_id']}").json()


def test_a_held_slot_is_taken_until_it_is_released(api: httpx.Client, order: Order) -> None:
    time, person = order["appointment_time"], order["staff_id"]
    hold_id = api.post("/appointments/hold", json=order).json()["hold_id"]
    assert time not in slots(api, staff_id=person)
    assert api.post("/appointments/hold", json=order).status_code == 409
    overlapping = order | {"appointment_time": later(order, -30)}
    assert api.post("/appointments/hold", json=overlapping).status_code == 409
    assert api.delete(f"/appointments/hold/{hold_id}").status_code == 204
    assert time in slots(api, staff_id=person)
    again = api.post("/appointments/hold", json=order).json()["hold_id"]
    assert api.post(f"/appointments/hold/{again}/release").status_code == 204
    assert api.post(f"/appointments/hold/{again}/release").status_code == 404


def test_a_hold_lasts_ten_minutes(sandbox: Sandbox, api: httpx.Client, order: Order) -> None:
    hold = api.post("/appointments/hold", json=order).json()
    sandbox.clock.advance(9 * 60)
    assert api.post("/appointments/hold", json=order).status_code == 409
    sandbox.clock.advance(61)
    answer = api.post("/appointments/confirm", json={"hold_id": hold["hold_id"], **WHO})
    assert (answer.status_code, answer.json()["code"]) == (410, "hold-expired")
    assert api.delete(f"/appointments/hold/{hold['hold_id']}").status_code == 410
    assert api.post("/appointments/hold", json=order).status_code == 201


def test_a_hold_is_confirmed_once(api: httpx.Client, order: Order) -> None:
    body = {"hold_id": api.post("/appointments/hold", json=order).json()["hold_id"], **WHO}
    answers = [api.post("/appointments/confirm", json=body).status_code for _ in range(2)]
    assert answers == [201, 404]


def test_of_many_who_ask_at_once_one_gets_the_slot(api: httpx.Client, order: Order) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: api.post("/appointments/hold", json=order).status_code, range(32))
        )
    assert sorted(answers) == [201] + [409] * 31


def test_without_a_named_person_everybody_free_is_booked_and_nobody_twice(
    sandbox: Sandbox, api: httpx.Client, order: Order
) -> None:
    anyone = {name: value for name, value in order.items() if name != "staff_id"}
    holds = [api.post("/appointments/hold", json=anyone) for _ in range(10)]
    people = [hold.json()["staff_id"] for hold in holds if hold.status_code == 201]
    assert len(set(people)) == len(people) >= 1
    assert holds[-1].status_code == 409
    assert order["appointment_time"] not in slots(api)


@pytest.mark.parametrize("style", ["patch", "post", "post booking_id"])
def test_rescheduling_frees_the_old_slot_and_takes_the_new(
    api: httpx.Client, order: Order, style: str
) -> None:
    key = book(api, order)["appointment_id"]
    new_time = later(order, -90)
    if style == "patch":
        answer = api.patch(f"/appointments/{key}", json={"appointment_time": new_time})
    else:
        name = "booking_id" if style == "post booking_id" else "appointment_id"
        body = {name: key, "appointment_time": new_time}
        answer = api.post("/appointments/reschedule", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["appointment_time"] == new_time
    free = slots(api, staff_id=order["staff_id"])
    assert order["appointment_time"] in free
    assert new_time not in free


@pytest.mark.parametrize("style", ["patch", "post"])
def test_cancelling_frees_the_slot_at_once(api: httpx.Client, order: Order, style: str) -> None:
    key = book(api, order)["appointment_id"]
    if style == "patch":
        answer = api.patch(f"/appointments/{key}", json={"status": "cancelled"})
    else:
        answer = api.post("/appointments/cancel", json={"booking_id": key})
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert api.post("/appointments/hold", json=order).status_code == 201
    again = api.post("/appointments/cancel", json={"appointment_id": key}).json()
    assert again["updated_at"] == answer.json()["updated_at"]
    moved = api.patch(f"/appointments/{key}", json={"appointment_time": later(order, 0)})
    assert moved.status_code == 422


def test_a_change_can_be_told_by_updated_at(api: httpx.Client, order: Order) -> None:
    booked = book(api, order)
    key = booked["appointment_id"]
    changed = api.patch(f"/appointments/{key}", json={"notes": 'new, "notes"\n'}).json()
    assert changed["notes"] == 'new, "notes"\n'
    assert changed["updated_at"] >= booked["updated_at"]
    assert changed["created_at"] == booked["created_at"]


def test_two_bookings_cannot_share_a_slot_by_moving(api: httpx.Client, order: Order) -> None:
    book(api, order)
    other = book(api, order | {"appointment_time": later(order, -90)})
    body = {"appointment_time": order["appointment_time"]}
    answer = api.patch(f"/appointments/{other['appointment_id']}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot-taken")
    stayed = api.get(f"/appointments/{other['appointment_id']}").json()
    assert stayed["appointment_time"] == other["appointment_time"]


def test_a_booking_may_move_within_its_own_time(api: httpx.Client, order: Order) -> None:
    key = book(api, order)["appointment_id"]
    body = {"appointment_time": later(order, -15)}
    assert api.patch(f"/appointments/{key}", json=body).status_code == 200


def test_a_resource_is_booked_without_service_or_person(
    sandbox: Sandbox, api: httpx.Client, order: Order
) -> None:
    body = {
        "organization_id": sandbox.organization_id,
        "resource_id": "r_studio_n",
        "appointment_time": later(order, 12 * 60),
        "appointment_duration": 150,
    }
    booked = book(api, body)
    assert (booked["service_id"], booked["staff_id"], booked["price"]) == (None, None, None)
    assert (booked["resource_id"], booked["location_id"]) == ("r_studio_n", "l_newyork")
    assert booked["appointment_duration"] == 150
    clash = body | {"appointment_time": later(body, 149)}
    assert api.post("/appointments/hold", json=clash).status_code == 409
    for change in ({"staff_id": "st_002"}, {"appointment_duration": None}, {"location_id": "x"}):
        assert api.post("/appointments/hold", json=body | change).status_code == 422
    next_door = body | {"appointment_time": later(body, 150)}
    assert api.post("/appointments/hold", json=next_door).status_code == 201


def test_availability_shows_local_times_and_holidays(serve: Any, sign_in: Any) -> None:
    api = sign_in(serve())
    answer = api.get("/availability", params={"service_id": "s_cut", "days_ahead": 60}).json()
    assert answer["timezone"] == "Europe/Berlin"
    assert all(slot["start"][-6:] in ("+01:00", "+02:00") for slot in answer["slots"])
    assert all(slot["start"][:10] not in answer["holidays"] for slot in answer["slots"])
    there = api.get(
        "/availability", params={"service_id": "s_cut", "location_id": "l_newyork"}
    ).json()
    assert there["timezone"] == "America/New_York"
    assert {slot["location_id"] for slot in there["slots"]} == {"l_newyork"}


def test_every_slot_offered_can_be_held(sandbox: Sandbox, api: httpx.Client) -> None:
    offered = api.get("/availability", params={"service_id": "s_massage60", "days_ahead": 4})
    taken: list[tuple[str, str]] = []
    for slot in offered.json()["slots"]:
        if any(start <= slot["start"] < end for start, end in taken):
            continue
        body = {
            "organization_id": sandbox.organization_id,
            "service_id": "s_massage60",
            "appointment_time": slot["start"],
            "staff_id": slot["staff_id"],
        }
        assert api.post("/appointments/hold", json=body).status_code == 201
        taken.append((slot["start"], slot["end"]))
    assert taken


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"appointment_time": "2030-01-07T10:00:00"}, 422, "timezone"),
        ({"appointment_time": "tomorrow"}, 422, "appointment_time"),
        ({"appointment_time": "2020-01-06T10:00:00+01:00"}, 422, "past"),
        ({"appointment_time": "2030-01-07T03:00:00+01:00"}, 422, "working hours"),
        ({"appointment_time": "2030-01-07T10:00:30+01:00"}, 422, "whole minute"),
        ({"appointment_duration": 0}, 422, "appointment_duration"),
        ({"appointment_duration": "45"}, 422, "appointment_duration"),
        ({"service_id": "s_nothing"}, 422, "s_nothing"),
        ({"service_id": None}, 422, "resource_id"),
        ({"service_id": "s_facial"}, 422, "do not go together"),
        ({"location_id": "l_newyork"}, 422, "do not go together"),
        ({"resource_id": "r_sauna_b"}, 422, "resource"),
        ({"surprise": 1}, 422, "surprise"),
        ({"organization_id": "o_other"}, 403, "organization"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused_in_words(
    api: httpx.Client, order: Order, change: Order, status: int, word: str
) -> None:
    order = order | {"staff_id": "st_001"} | change
    answer = api.post("/appointments/hold", json=order)
    assert answer.status_code == status
    assert word in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "nothing to change"),
        ({"status": "confirmed"}, "status"),
        ({"status": "cancelled", "notes": "x"}, "either"),
        ({"contact_email": "nobody"}, "contact_email"),
        ([], "object"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_in_words(
    api: httpx.Client, order: Order, body: Any, word: str
) -> None:
    key = book(api, order)["appointment_id"]
    answer = api.patch(f"/appointments/{key}", json=body)
    assert answer.status_code == 422
    assert word in answer.json()["message"]


def test_both_names_of_an_appointment_must_agree(api: httpx.Client) -> None:
    for body in ({}, {"booking_id": "a_1", "appointment_id": "a_2"}):
        assert api.post("/appointments/cancel", json=body).status_code == 422


def test_what_does_not_exist_cannot_be_changed(api: httpx.Client) -> None:
    assert api.patch("/appointments/a_x", json={"status": "cancelled"}).status_code == 404
    assert api.delete("/appointments/hold/h_x").status_code == 404
    assert api.post("/appointments/cancel", json={"booking_id": "a_x"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({}, "service_id"),
        ({"service_id": "s_x"}, "s_x"),
        ({"service_id": "s_cut", "days_ahead": "0"}, "days_ahead"),
        ({"service_id": "s_cut", "days_ahead": "soon"}, "days_ahead"),
        ({"service_id": "s_cut", "staff_id": "st_x"}, "do not go together"),
    ],
)
def test_availability_refuses_in_words(api: httpx.Client, query: dict[str, str], word: str) -> None:
    answer = api.get("/availability", params=query)
    assert answer.status_code == 422
    assert word in answer.json()["message"]


def test_broken_bodies_are_refused(api: httpx.Client) -> None:
    assert api.post("/appointments/hold", content=b"{oops").status_code == 400
    assert api.post("/appointments/hold", content=b" " * (2**20 + 1)).status_code == 413


def test_customers_are_mailed_about_their_bookings(
    api: httpx.Client, control: httpx.Client, order: Order
) -> None:
    key = book(api, order)["appointment_id"]
    api.patch(f"/appointments/{key}", json={"status": "cancelled"})
    mails = control.get("/mails").json()["items"]
    assert [(mail["to"], mail["event"]) for mail in mails] == [
        ("ada@example.com", "appointment.created"),
        ("ada@example.com", "appointment.cancelled"),
    ]


def test_data_with_another_name_for_the_id_is_changed_like_any_other(
    serve: Any, sign_in: Any, tmp_path: Path
) -> None:
    path = tmp_path / "data.ndjson"
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    record = {"booking_id": "b_1", "appointment_time": start.isoformat(), "status": "confirmed"}
    path.write_text(json.dumps(record | {"contact_email": "ada@example.com", "staff_id": ["?"]}))
    sandbox = serve(data=path)
    api = sign_in(sandbox)
    assert api.patch("/appointments/b_1", json={"appointment_duration": 30}).status_code == 422
    whole = start.replace(second=0)
    move = {"appointment_time": whole.isoformat(), "appointment_duration": 30}
    moved = api.patch("/appointments/b_1", json=move)
    assert datetime.fromisoformat(moved.json()["appointment_time"]) == whole
    cancelled = api.post("/appointments/cancel", json={"booking_id": "b_1"})
    assert (cancelled.status_code, cancelled.json()["booking_id"]) == (200, "b_1")
    assert [mail["about"] for mail in sandbox.world.mails] == ["b_1", "b_1"]


def test_what_is_over_cannot_be_cancelled(control: httpx.Client, api: httpx.Client) -> None:
    record = {"appointment_id": "a_1", "appointment_time": "2020-01-06T10:00:00+01:00"}
    control.put("/appointments/a_1", content=json.dumps(record | {"status": "completed"}))
    answer = api.post("/appointments/cancel", json={"appointment_id": "a_1"})
    assert (answer.status_code, "completed" in answer.json()["message"]) == (422, True)


NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


class Rush(RuleBasedStateMachine):
    """One person's calendar against a model: whatever people do, a slot is taken once."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(lambda: NOW)
        options = WorldOptions(appointments=0, today=NOW.date())
        self.world = World(options, self.clock.now)
        self.taken: dict[str, tuple[datetime, int]] = {}
        self.holds: dict[str, datetime] = {}

    @rule(half_hour=st.integers(18, 36), minutes=st.sampled_from([30, 45, 90]))
    def hold(self, half_hour: int, minutes: int) -> None:
        time = MONDAY + timedelta(minutes=half_hour * 30)
        order = HoldOrder(
            "o_morgenlicht", time, "s_cut", staff_id="st_001", appointment_duration=minutes
        )
        expected = self.verdict("", time, minutes)
        assert self.attempt(lambda: self.world.bookings.hold(order)) == expected
        if expected is None:
            hold_id = self.answer["hold_id"]
            self.taken[hold_id] = (time, minutes)
            self.holds[hold_id] = self.clock.now() + timedelta(minutes=10)

    @rule(number=st.integers(0, 50))
    def confirm(self, number: int) -> None:
        if self.holds:
            hold_id = list(self.holds)[number % len(self.holds)]
            order = ConfirmOrder(hold_id, "Ada", "ada@example.com")
            record = json.loads(self.world.bookings.confirm(order))
            self.taken[record["appointment_id"]] = self.taken.pop(hold_id)
            del self.holds[hold_id]

    @rule(number=st.integers(0, 50), half_hour=st.integers(18, 36))
    def move(self, number: int, half_hour: int) -> None:
        for key in self.booked(number):
            time, minutes = MONDAY + timedelta(minutes=half_hour * 30), self.taken[key][1]
            expected = self.verdict(key, time, minutes)
            order = ChangeOrder(appointment_time=time)
            assert self.attempt(lambda: self.world.bookings.change(key, order)) == expected  # noqa: B023 - called at once
            if expected is None:
                self.taken[key] = (time, minutes)

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        for key in self.booked(number):
            self.world.bookings.change(key, ChangeOrder(status="cancelled"))
            del self.taken[key]

    @rule(seconds=st.integers(0, 700))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for hold_id in [key for key, until in self.holds.items() if until <= self.clock.now()]:
            del self.holds[hold_id]
            del self.taken[hold_id]

    @invariant()
    def availability_is_what_the_model_has_left(self) -> None:
        answer = self.world.bookings.schedule.availability(Question("s_cut", 3, "st_001"))
        offered = {datetime.fromisoformat(slot["start"]) for slot in answer["slots"]}
        for half_hour in range(16, 38):
            time = MONDAY + timedelta(minutes=half_hour * 30)
            assert (time in offered) == (self.verdict("", time, 45) is None)

    def booked(self, number: int) -> list[str]:
        """One appointment, or none if there is none."""
        keys = [key for key in self.taken if key not in self.holds]
        return [keys[number % len(keys)]] if keys else []

    def verdict(self, key: str, time: datetime, minutes: int) -> int | None:
        """The status of a refusal, or None; the person works 09:00-19:30 at UTC+1."""
        end = time + timedelta(minutes=minutes)
        if time < MONDAY + timedelta(hours=8) or end > MONDAY + timedelta(hours=18, minutes=30):
            return 422
        clash = any(
            other != key and time < begin + timedelta(minutes=length) and begin < end
            for other, (begin, length) in self.taken.items()
        )
        return 409 if clash else None

    def attempt(self, call: Callable[[], Any]) -> int | None:
        try:
            self.answer = call()
        except ApiProblem as problem:
            return problem.status
        return None


TestRush = Rush.TestCase
TestRush.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
