"""What a remote sink writes, by its settings and its connector's own mapping."""

from dataclasses import dataclass
from hashlib import blake2b

from zimun_sync.remotes.mapping import Defaults, Mapped, Write, mapped, owner_rule
from zimun_sync.remotes.settings import RemoteSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written.

    Args:
        settings: the sink's.
        defaults: the connector's mapping.
        contact: how contacts are written.
        appointment: how appointments are written.
    """

    settings: RemoteSettings
    defaults: Defaults
    contact: Mapped
    appointment: Mapped

    @property
    def fingerprint(self) -> str:
        """Changes when an appointment may lead to something else than before."""
        what = (
            self.settings.model_dump_json(exclude=_HOW),
            repr(sorted(self.defaults.contact.items())),
            repr(sorted(self.defaults.appointment.items())),
        )
        return blake2b("\0".join(what).encode(), digest_size=16).hexdigest()


#: Settings that decide how fast and how carefully it is written, not what.
_HOW = {"verify_writes", "max_creates_per_run", "daily_calls", "request_deadline"}


def plan_of(settings: RemoteSettings, defaults: Defaults) -> Plan:
    """The plan of a sink."""
    field = defaults.owner_field
    owner = [owner_rule(field, overwrite=settings.overwrite_owner)] if field else []
    return Plan(
        settings,
        defaults,
        mapped(settings.contact, defaults.contact, Write.ONCE),
        mapped(settings.appointment, defaults.appointment, Write.UNLESS_EDITED, owner),
    )
