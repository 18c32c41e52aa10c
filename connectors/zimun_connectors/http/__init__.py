"""The `http` connector: any CRM or POS with a JSON API, described in YAML."""

from pathlib import Path

from zimun_connectors.http.auth import auth_of
from zimun_connectors.http.config import HttpSettings
from zimun_connectors.http.recipes import recipe_fields
from zimun_connectors.http.remote import HttpRemote, http_remote
from zimun_sync.remotes.calls import Caller
from zimun_sync.remotes.limits import limits_for
from zimun_sync.remotes.mapping import Defaults
from zimun_sync.remotes.sink import RemoteSink, remote_sink
from zimun_sync.sinks import Connector

__all__ = ["HttpRemote", "HttpSettings", "connector", "defaults_of", "remote_of"]


def remote_of(settings: HttpSettings) -> HttpRemote:
    """The remote of a section; opens nothing."""
    pace = settings.limits
    limits = limits_for(
        f"http {settings.address} {settings.auth.subject}",
        per_window=pace.calls,
        window_seconds=pace.seconds,
        groups={name: (group.calls, group.seconds) for name, group in pace.groups.items()},
    )
    deadline, reach = settings.request_deadline, settings.reach
    auth = auth_of(settings.auth, deadline, reach)
    caller = Caller(settings.address, auth, limits, deadline=deadline, reach=reach)
    return http_remote(settings, caller)


def defaults_of(settings: HttpSettings) -> Defaults:
    """The recipe's mapping, which the settings' own goes on top of."""
    return Defaults(
        contact=recipe_fields(settings.recipe, "contact"),
        appointment=recipe_fields(settings.recipe, "appointment"),
        owner_field=settings.appointment.owner_field,
        email_field=settings.contact.email_field,
        phone_field=settings.contact.phone_field,
    )


def _build(settings: HttpSettings, _folder: Path) -> RemoteSink:
    return remote_sink(remote_of(settings), settings, defaults_of(settings))


connector = Connector(
    name="http",
    summary="Any CRM or POS with a JSON API, described in YAML; with recipes.",
    settings=HttpSettings,
    build=_build,
)
