"""Webhooks: who wants to be told of what.

Deliveries follow the Standard Webhooks specification (standardwebhooks.com).
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from zimun_sync.sandbox.api.delivery import Courier, Message
from zimun_sync.sandbox.world.bookings import Event
from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.orders import WebhookOrder
from zimun_sync.sandbox.world.problem import invalid, not_found
from zimun_sync.sandbox.world.stamps import precise_stamp

EVENTS = ("appointment.created", "appointment.updated", "appointment.cancelled")

_PREFIX = "whsec_"

#: Makes the courier for a URL and a signing key.
Hire = Callable[[str, bytes], Courier]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registration and who serves it."""

    id: str
    url: str
    events: tuple[str, ...]
    secret: str
    created_at: datetime
    courier: Courier

    def describe(self) -> dict[str, Any]:
        """What the API shows of it; never the secret."""
        return {
            "id": self.id,
            "url": self.url,
            "events": list(self.events),
            "created_at": precise_stamp(self.created_at),
        }


class Webhooks:
    """The registrations, and a listener that sends events to them.

    Args:
        hire: makes couriers.
        now: the clock.
    """

    def __init__(self, hire: Hire, now: Now) -> None:
        self._hire = hire
        self._now = now
        self._webhooks: dict[str, Webhook] = {}
        self._retired: list[Courier] = []

    def register(self, order: WebhookOrder) -> Webhook:
        """Adds a registration.

        Raises:
            ApiProblem: 422, an unknown event, a URL without a host or a secret that is not
                `whsec_` and base64.
        """
        events = tuple(EVENTS if order.events is None else order.events)
        if not events or not set(events) <= set(EVENTS):
            raise invalid(f"events must be some of: {', '.join(EVENTS)}.")
        secret = order.secret or _PREFIX + b64encode(secrets.token_bytes(32)).decode()
        courier = self._hire(_checked(order.url), _key(secret))
        name = f"w_{secrets.token_hex(8)}"
        webhook = Webhook(name, order.url, events, secret, self._now(), courier)
        self._webhooks[name] = webhook
        return webhook

    def registered(self) -> list[Webhook]:
        """All registrations, oldest first."""
        return list(self._webhooks.values())

    def remove(self, name: str) -> None:
        """Ends a registration; what waits to be delivered to it is dropped.

        Raises:
            ApiProblem: 404, there is none.
        """
        webhook = self._webhooks.pop(name, None)
        if webhook is None:
            raise not_found(f"webhook {name!r}")
        webhook.courier.stop()
        self._retired.append(webhook.courier)

    def tell(self, event: Event) -> None:
        """Sends an event to everybody who asked for its kind."""
        body = b'{"type":%s,"timestamp":%s,"data":%s}' % (
            msgspec.json.encode(event.type),
            msgspec.json.encode(precise_stamp(event.at)),
            event.appointment,
        )
        message = Message(f"msg_{secrets.token_hex(12)}", body)
        for webhook in self._webhooks.values():
            if event.type in webhook.events:
                webhook.courier.send(message)

    def close(self) -> None:
        """Ends all registrations and waits for attempts under way."""
        for name in list(self._webhooks):
            self.remove(name)
        for courier in self._retired:
            courier.join()


def _checked(url: str) -> str:
    try:
        target = urlsplit(url)
        complete = bool(target.hostname) and target.port != 0
    except ValueError:
        complete = False
    if not complete or not url.isascii() or not url.isprintable() or " " in url:
        raise invalid("url must be an http or https URL with a host.")
    return url


def _key(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key or not secret.startswith(_PREFIX):
        raise invalid("secret must be whsec_ followed by base64.")
    return key
