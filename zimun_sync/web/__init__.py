"""The web edge: webhooks, health, metrics and status. The only asynchronous part."""

from zimun_sync.web.endpoints import Endpoints, verifiers_of
from zimun_sync.web.intake import Intake
from zimun_sync.web.server import WebServer

__all__ = ["Endpoints", "Intake", "WebServer", "verifiers_of"]
