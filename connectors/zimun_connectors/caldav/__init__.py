"""The `caldav` connector: bookings as events of a calendar."""

from pathlib import Path

from zimun_connectors.caldav.config import EVENT, CaldavSettings
from zimun_connectors.caldav.remote import CaldavRemote
from zimun_sync.remotes.mapping import Defaults
from zimun_sync.remotes.sink import RemoteSink, remote_sink
from zimun_sync.sinks import Connector

__all__ = ["CaldavRemote", "CaldavSettings", "connector"]


def _build(settings: CaldavSettings, _folder: Path) -> RemoteSink:
    return remote_sink(CaldavRemote(settings), settings, Defaults({}, EVENT))


connector = Connector(
    name="caldav",
    summary="An event for each appointment in a CalDAV calendar.",
    settings=CaldavSettings,
    build=_build,
)
