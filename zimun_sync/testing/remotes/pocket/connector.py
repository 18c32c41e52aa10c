"""The connector's settings and mapping: what makes a `Remote` a sink that can be configured."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from zimun_sync.remotes.mapping import Defaults
from zimun_sync.remotes.settings import RemoteSettings
from zimun_sync.remotes.sink import remote_sink
from zimun_sync.sinks import Connector, Sink
from zimun_sync.testing.remotes.pocket.crm import PocketCrm
from zimun_sync.testing.remotes.pocket.remote import pocket_remote

#: What fills the CRM's fields, in the words that a configuration uses.
DEFAULTS: Final = Defaults(
    contact={"name": "contact_name", "email": "contact_email", "phone": "contact_phone"},
    appointment={
        "title": "{{ service.name or 'Appointment' }}",
        "starts_at": {"from": "starts_at", "write": "always"},
        "ends_at": {"from": "ends_at", "write": "always"},
        "status": {
            "from": "status",
            "values": {
                "cancelled": "cancelled",
                "no_show": "no_show",
                "completed": "completed",
                "*": "booked",
            },
            "write": "always",
        },
        "notes": "notes",
    },
    owner_field="owner",
)


class PocketSettings(RemoteSettings):
    """The sink's section of the configuration."""

    type: Literal["pocket"] = "pocket"
    path: Path = Field(description="The CRM's file; relative to the configuration file.")


def _build(settings: PocketSettings, folder: Path) -> Sink:
    crm = PocketCrm(folder / settings.path)
    return pocket_sink(crm, settings)


def pocket_sink(crm: PocketCrm, settings: RemoteSettings) -> Sink:
    """A sink on a CRM that is there already."""
    return remote_sink(pocket_remote(crm), settings, DEFAULTS)


connector = Connector(
    name="pocket",
    summary="a little CRM in one file, for tests",
    settings=PocketSettings,
    build=_build,
)
