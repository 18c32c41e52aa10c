"""Bookings as meetings or appointments in HubSpot, tied to their contacts."""

from pathlib import Path

from zimun_connectors.hubspot.config import HubspotSettings
from zimun_connectors.hubspot.defaults import defaults
from zimun_connectors.hubspot.remote import HubspotRemote
from zimun_sync.remotes.sink import RemoteSink, remote_sink
from zimun_sync.sinks import Connector

__all__ = ["HubspotRemote", "HubspotSettings", "connector"]


def _build(settings: HubspotSettings, _folder: Path) -> RemoteSink:
    return remote_sink(HubspotRemote(settings), settings, defaults(settings))


connector = Connector(
    name="hubspot",
    summary="Meetings or appointments in a HubSpot portal, tied to their contacts.",
    settings=HubspotSettings,
    build=_build,
)
