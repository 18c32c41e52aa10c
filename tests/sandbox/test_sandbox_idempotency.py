"""`Idempotency-Key`: the same call is answered, not done, again; another call is refused."""

import json
from typing import Any

import httpx
import pytest

from zimun_sync.sandbox import Sandbox

Order = dict[str, Any]
KEY = {"idempotency-key": "8f14e45f"}


def hold(api: httpx.Client, order: Order, headers: dict[str, str] | None = None) -> httpx.Response:
    return api.post("/appointments/hold", json=order, headers=KEY if headers is None else headers)


def test_the_same_call_gets_the_same_answer_and_happens_once(
    api: httpx.Client, order: Order
) -> None:
    first, second = hold(api, order), hold(api, order)
    assert (
        (first.status_code, first.content)
        == (second.status_code, second.content)
        == (
            201,
            first.content,
        )
    )
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert hold(api, order, {}).status_code == 409


def test_the_same_json_written_otherwise_is_the_same_call(api: httpx.Client, order: Order) -> None:
    first = hold(api, order)
    body = json.dumps(dict(reversed(order.items())), indent=2)
    again = api.post("/appointments/hold", content=body, headers=KEY)
    assert again.content == first.content


def test_another_body_or_path_under_the_same_key_is_refused(
    api: httpx.Client, order: Order
) -> None:
    hold(api, order)
    assert hold(api, order | {"appointment_duration": 30}).status_code == 422
    elsewhere = api.post("/appointments/confirm", json=order, headers=KEY)
    assert elsewhere.status_code == 422
    assert "Idempotency-Key" in elsewhere.json()["message"]


def test_a_refusal_is_remembered_too(api: httpx.Client, order: Order) -> None:
    blocker = hold(api, order, {}).json()["hold_id"]
    assert hold(api, order).status_code == 409
    api.delete(f"/appointments/hold/{blocker}")
    assert hold(api, order).status_code == 409
    assert hold(api, order, {"idempotency-key": "another"}).status_code == 201


def test_patch_takes_keys_too(api: httpx.Client, order: Order) -> None:
    body = {"hold_id": hold(api, order).json()["hold_id"], "contact_name": "A"}
    booked = api.post("/appointments/confirm", json=body | {"contact_email": "a@example.com"})
    path = f"/appointments/{booked.json()['appointment_id']}"
    key = {"idempotency-key": "patch"}
    first, second = (api.patch(path, json={"notes": "n"}, headers=key) for _ in range(2))
    assert first.json()["updated_at"] == second.json()["updated_at"]


def test_keys_are_forgotten_after_a_day(
    sandbox: Sandbox, api: httpx.Client, order: Order, sign_in: Any
) -> None:
    hold(api, order)
    sandbox.clock.advance(25 * 3600)
    assert hold(sign_in(sandbox), order | {"appointment_duration": 30}).status_code == 201


@pytest.mark.parametrize("status", [401, 403])
def test_being_kept_out_is_not_remembered(
    sandbox: Sandbox, api: httpx.Client, sign_in: Any, order: Order, status: int
) -> None:
    reader = sign_in(sandbox, "appointments:read")
    if status == 401:
        reader.headers["authorization"] = "Bearer nobody"
    assert hold(reader, order).status_code == status
    assert hold(api, order).status_code == 201
