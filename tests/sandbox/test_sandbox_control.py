"""The control endpoints: what tests rule the sandbox with."""

import json
from typing import Any

import httpx

from zimun_sync.sandbox import Sandbox


def test_pages_are_counted_by_where_they_begin(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    control.delete("/requests")
    query: dict[str, Any] = {"page_size": 25}
    query["page_token"] = api.get("/appointments", params=query).json()["next_page_token"]
    api.get("/appointments", params=query)
    api.get("/appointments", params=query)
    api.get("/services")
    report = control.get("/requests").json()
    assert report["pages"] == {"appointments": {"0": 1, "25": 2}, "services": {"0": 1}}
    assert report["refetched"] == {"appointments": 1, "services": 0}
    assert report["requests"] == {"appointments": 3, "services": 1}
    assert report["statuses"] == {"200": 4}
    assert report == sandbox.observed.report()
    control.delete("/requests")
    assert control.get("/requests").json()["requests"] == {}


def test_the_clock_moves_forward_and_dates_the_answers(
    api: httpx.Client, control: httpx.Client
) -> None:
    before = control.get("/clock").json()["now"]
    first = api.get("/organization").headers["date"]
    after = control.post("/clock", json={"seconds": 86_400}).json()["now"]
    assert after[:10] > before[:10]
    assert api.get("/organization").headers["date"] != first
    assert control.post("/clock", json={"seconds": "soon"}).status_code == 422


def test_records_appear_change_and_go_without_a_word(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    item = b'{"appointment_id":"a_new",  "appointment_time":"2031-01-06T10:00:00+01:00"}'
    assert control.put("/appointments/a_new", content=item).status_code == 204
    assert api.get("/appointments/a_new").content == item
    assert api.get("/appointments").content.count(item) == 1
    assert sandbox.world.checksums()["count"] == 61
    changed = item.replace(b"10:00:00", b"11:00:00")
    control.put("/appointments/a_new", content=changed)
    assert api.get("/appointments/a_new").content == changed
    assert len(api.get("/appointments").json()["items"]) == 61
    assert control.delete("/appointments/a_new").status_code == 204
    assert api.get("/appointments/a_new").status_code == 404
    assert control.delete("/appointments/a_new").status_code == 404
    assert len(api.get("/appointments").json()["items"]) == 60
    assert sandbox.world.mails.maxlen
    assert not sandbox.world.mails


def test_what_is_put_takes_its_slot_and_what_is_deleted_frees_it(
    api: httpx.Client, control: httpx.Client, order: dict[str, Any]
) -> None:
    booking = order | {"appointment_id": "a_new", "status": "confirmed"}
    control.put("/appointments/a_new", content=json.dumps(booking))
    assert api.post("/appointments/hold", json=order).status_code == 409
    control.put("/appointments/a_new", content=json.dumps(booking | {"status": "cancelled"}))
    hold = api.post("/appointments/hold", json=order)
    assert hold.status_code == 201
    api.delete(f"/appointments/hold/{hold.json()['hold_id']}")
    control.put("/appointments/a_new", content=json.dumps(booking))
    control.delete("/appointments/a_new")
    assert api.post("/appointments/hold", json=order).status_code == 201


def test_malformed_records_may_stay_for_good(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    for number, item in enumerate(("17", '"text"', '{"appointment_time": null}', "null")):
        control.put(f"/appointments/bad_{number}", content=item)
    listed = api.get("/appointments").json()["items"]
    assert listed[60:] == [17, "text", {"appointment_time": None}, None]
    truth = control.get("/checksums").json()
    assert (truth["count"], truth["malformed"]) == (60, 4)
    assert control.put("/appointments/x", content=b"{oops").status_code == 422
    assert api.patch("/appointments/bad_0", json={"notes": "x"}).status_code == 422


def test_faults_are_ordered_looked_at_and_cancelled(
    api: httpx.Client, control: httpx.Client
) -> None:
    orders = ["503:on=2", {"kind": "status", "code": 500, "stream": "services"}]
    assert control.post("/faults", json=orders).status_code == 200
    assert control.post("/faults", json="429:on=1000").status_code == 200
    assert [api.get("/appointments").status_code for _ in range(3)] == [200, 503, 200]
    seen = [(fault["seen"], fault["fired"]) for fault in control.get("/faults").json()["items"]]
    assert seen == [(3, 1), (0, 0), (3, 0)]
    control.delete("/faults")
    assert control.get("/faults").json()["items"] == []
    assert api.get("/services").status_code == 200
    assert "Did you mean" in control.post("/faults", json="truncat").json()["message"]
    assert control.post("/faults", content=b"{oops").status_code == 422


def test_pages_keep_their_size_when_records_are_deleted_in_between(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    first = api.get("/appointments", params={"page_size": 10}).json()
    gone = sandbox.world.appointments.window(0, 60).items[10:15]
    for item in gone:
        control.delete(f"/appointments/{json.loads(item)['appointment_id']}")
    second = api.get("/appointments", params={"page_token": first["next_page_token"]}).json()
    assert len(second["items"]) == 10
    assert second["items"][0] == json.loads(sandbox.world.appointments.window(10, 1).items[0])


def test_a_path_nobody_knows_and_a_method_nobody_offers_say_so_in_json(
    sandbox: Sandbox, api: httpx.Client
) -> None:
    assert api.get("/nothing").json()["message"] == "Not Found."
    refused = api.delete("/services")
    assert (refused.status_code, refused.json()["code"]) == (405, "http-405")
