"""What the web server answers with, handed over as it becomes ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zimun_sync.config import SourceSettings
from zimun_sync.events import Emit
from zimun_sync.web.intake import Intake
from zimun_sync.zimun import Verifier, verifier

#: What verifies each source's webhooks, by the source's name.
Verifiers = Mapping[str, Verifier]


def _always() -> bool:
    return True


@dataclass(slots=True)
class Endpoints:
    """The parts behind the web server; it listens before they are there.

    What is None is not ready, and answered 503. Set them from any thread, and to None again
    before they end.

    Args:
        verifiers: gives what stands at the time of a request, so that a reload swaps all.
        emit: told what happens, from any thread.
        alive: whether the process works, or is stuck; must return at once.
        intake: takes webhook events.
        status: how everything stands, as JSON values; may block.
        metrics: the same for Prometheus, in its text format; may block.
    """

    verifiers: Callable[[], Verifiers]
    emit: Emit
    alive: Callable[[], bool] = _always
    intake: Intake | None = None
    status: Callable[[], Mapping[str, Any]] | None = None
    metrics: Callable[[], bytes] | None = None


def verifiers_of(sources: Mapping[str, SourceSettings]) -> Verifiers:
    """What verifies the webhooks of every source that has secrets; others take none."""
    return {
        name: verifier(each.webhook, [secret.get_secret_value() for secret in each.webhook_secrets])
        for name, each in sources.items()
        if each.webhook_secrets
    }
