"""What happens at the source between two nights: some of its appointments are changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx

#: One appointment in so many is changed: 1%, spread over all pages, the hardest case.
EVERY: Final = 100
_TIMEOUT: Final = 60.0


def change(api: dict[str, Any], night: int) -> int:
    """Change 1% of the appointments, others each night; no webhook tells of it.

    Args:
        api: what the sandbox says on start-up.
        night: a number; after a hundred nights each appointment has been changed once.

    Returns:
        How many were changed.
    """
    with httpx.Client(base_url=api["base_url"], timeout=_TIMEOUT) as client:
        _sign_in(client, api)
        chosen = [
            item
            for number, item in enumerate(_appointments(client))
            if number % EVERY == night % EVERY
        ]
        for item in chosen:
            _put(client, api, _changed(item, night))
    return len(chosen)


def _sign_in(client: httpx.Client, api: dict[str, Any]) -> None:
    credentials = (api["client_id"], api["client_secret"])
    form = {"grant_type": "client_credentials"}
    answer = client.post(api["token_url"], data=form, auth=credentials).raise_for_status()
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _appointments(client: httpx.Client) -> Iterator[dict[str, Any]]:
    params = {"page_size": "500"}
    while True:
        body = client.get("/appointments", params=params).raise_for_status().json()
        yield from body["items"]
        if not body["next_page_token"]:
            return
        params["page_token"] = body["next_page_token"]


def _changed(item: dict[str, Any], night: int) -> dict[str, Any]:
    """Five minutes longer, which the checksums tell; with a note, and changed just now."""
    return item | {
        "appointment_duration": item["appointment_duration"] + 5,
        "notes": f"Moved in night {night}",
        "updated_at": datetime.now(UTC).isoformat(),
    }


def _put(client: httpx.Client, api: dict[str, Any], item: dict[str, Any]) -> None:
    address = f"{api['control_url']}/appointments/{item['appointment_id']}"
    client.put(address, json=item).raise_for_status()
