"""Managing webhooks: where the API reports changes to."""

from collections.abc import Sequence

import msgspec

from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.api import Api, below, typed
from zimun_sync.zimun.models import Webhook
from zimun_sync.zimun.wire import Reply

_PATH = "/webhooks"


class _Listed(msgspec.Struct):
    """Webhooks wrapped as other lists are."""

    items: tuple[Webhook, ...]


_webhook = typed(Webhook)
_LISTED: msgspec.json.Decoder[_Listed | tuple[Webhook, ...]] = msgspec.json.Decoder(
    _Listed | tuple[Webhook, ...]
)


def _webhooks(reply: Reply) -> tuple[Webhook, ...]:
    """Webhooks from a list, bare or wrapped as the other lists are."""
    answer = decode(reply.body, reply.content_type, _LISTED)
    return answer.items if isinstance(answer, _Listed) else answer


class Webhooks(Api):
    """Calls that register, list and remove webhooks."""

    def register_webhook(
        self,
        url: str,
        events: Sequence[str],
        secret: str,
        *,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Have events sent to a URL, signed with a secret.

        Args:
            url: where to; the API must be able to reach it.
            events: such as `appointment.created`.
            secret: `whsec_` and base64, as the Standard Webhooks convention has it.
            idempotency_key: repeat a call with the same key and it is done once.
        """
        body = {"url": url, "events": list(events), "secret": secret}
        return self._send("POST", _PATH, body, _webhook, idempotency_key)

    def webhooks(self) -> tuple[Webhook, ...]:
        """Every registered webhook."""
        return self._get(_PATH, _webhooks)

    def remove_webhook(self, webhook_id: str) -> None:
        """Have nothing sent there any more; NotFound when there is no such webhook."""
        self._delete(below(_PATH, webhook_id))
