"""The `salesforce` connector: contacts and events of a Salesforce organization."""

from pathlib import Path

from zimun_connectors.salesforce.config import SalesforceSettings
from zimun_connectors.salesforce.fields import DEFAULTS
from zimun_connectors.salesforce.remote import SalesforceRemote
from zimun_sync.remotes.sink import RemoteSink, remote_sink
from zimun_sync.sinks import Connector

__all__ = ["SalesforceRemote", "SalesforceSettings", "connector"]


def _build(settings: SalesforceSettings, folder: Path) -> RemoteSink:  # noqa: ARG001 - no files
    return remote_sink(SalesforceRemote(settings), settings, DEFAULTS)


connector = Connector(
    name="salesforce",
    summary="Contacts and events of a Salesforce organization.",
    settings=SalesforceSettings,
    build=_build,
)
