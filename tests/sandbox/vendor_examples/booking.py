"""The published Python example's steps: token, availability, hold, confirm, reschedule, cancel.

Only the host, the ids and the dates come from outside.
"""

import os

import requests

HOST = os.environ["ZIMUN_HOST"]
BASE = f"{HOST}/api/v1"

token = requests.post(
    f"{HOST}/oauth/token",
    auth=(os.environ["ZIMUN_CLIENT_ID"], os.environ["ZIMUN_CLIENT_SECRET"]),
    data={"grant_type": "client_credentials"},
    timeout=10,
).json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}

organization_id = os.environ["ZIMUN_ORGANIZATION"]
service_id = os.environ["ZIMUN_SERVICE"]

params: dict[str, str | int] = {"service_id": service_id, "days_ahead": 7}
availability = requests.get(f"{BASE}/availability", headers=headers, params=params, timeout=10)
availability.raise_for_status()

hold = requests.post(
    f"{BASE}/appointments/hold",
    headers={**headers, "Idempotency-Key": "example-hold"},
    json={
        "organization_id": organization_id,
        "service_id": service_id,
        "appointment_time": os.environ["ZIMUN_TIME"],
        "appointment_duration": 45,
    },
    timeout=10,
)
hold.raise_for_status()

confirmed = requests.post(
    f"{BASE}/appointments/confirm",
    headers={**headers, "Idempotency-Key": "example-confirm"},
    json={
        "hold_id": hold.json()["hold_id"],
        "contact_name": "Ada Example",
        "contact_email": "ada@example.com",
    },
    timeout=10,
)
confirmed.raise_for_status()
appointment_id = confirmed.json()["appointment_id"]

rescheduled = requests.patch(
    f"{BASE}/appointments/{appointment_id}",
    headers={**headers, "Idempotency-Key": "example-reschedule"},
    json={"appointment_time": os.environ["ZIMUN_NEW_TIME"]},
    timeout=10,
)
rescheduled.raise_for_status()

cancelled = requests.patch(
    f"{BASE}/appointments/{appointment_id}",
    headers={**headers, "Idempotency-Key": "example-cancel"},
    json={"status": "cancelled"},
    timeout=10,
)
cancelled.raise_for_status()
print(cancelled.json()["appointment_id"], cancelled.json()["status"])  # noqa: T201 - its answer
