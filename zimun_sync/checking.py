"""Trying what a configuration names, without changing anything: credentials, scopes, sinks."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Event
from typing import Final

from zimun_sync.config import Config, SourceSettings
from zimun_sync.errors import (
    AuthenticationFailed,
    NotFound,
    RequestRefused,
    ScopeMissing,
    SinkError,
    SourceError,
    SourceUnavailable,
    StoreError,
)
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.horizon import MADE
from zimun_sync.sinks import Checks
from zimun_sync.store import Store
from zimun_sync.wiring import build_sink, client
from zimun_sync.zimun import ZimunClient

#: What a stolen secret could do harm with.
WRITE: Final = "appointments:write"
#: A person is waiting: give up on an unreachable host sooner than a nightly run would.
_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Args:
        what: such as `source main: appointments`.
        verdict: `ok`, `note` or `bad`.
        message: what was seen.
        hint: what to do about it.
    """

    what: str
    verdict: str
    message: str
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """For programs."""
        return asdict(self)


def check_all(config: Config) -> Iterator[Finding]:
    """Try the state, every source and every sink, one after the other."""
    for name, settings in config.sources.items():
        yield from _check_source(name, settings)
    try:
        with Store.open(config.state, config.folder) as store:
            yield Finding("state", "ok", "can be read and written")
            for name in config.sinks:
                yield _check_sink(config, store, name)
    except StoreError as error:
        yield Finding("state", "bad", error.message, error.hint)


def _check_source(name: str, settings: SourceSettings) -> Iterator[Finding]:
    brief = settings.model_copy(update={"max_elapsed": _PATIENCE_SECONDS})
    with client(brief, lambda _wait: None, Event()) as api:
        for stream in settings.streams:
            what = f"source {name}: {stream}"
            try:
                seen = _ask(api) if stream in MADE else _first_page(api, stream)
            except NotFound as error:
                needed = stream == "appointments"
                message = error.message if needed else "not offered by this API; left out"
                yield Finding(what, "bad" if needed else "note", message, error.hint * needed)
            except SourceError as error:
                optional = stream in MADE and isinstance(error, ScopeMissing)
                yield Finding(what, "note" if optional else "bad", error.message, error.hint)
                if isinstance(error, (AuthenticationFailed, SourceUnavailable)):
                    return
            else:
                yield Finding(what, "ok", seen)
        yield from _needless_scopes(name, settings, api.granted_scopes)


def _needless_scopes(
    name: str, settings: SourceSettings, granted: frozenset[str]
) -> Iterator[Finding]:
    """What the credentials permit beyond what is done with them; registering webhooks writes."""
    if WRITE in granted and not settings.webhook_secrets:
        message = f"the credentials may change appointments ({WRITE}); nothing here needs that"
        hint = "Take that scope from the API client, or name the others in the setting `scopes`."
        yield Finding(f"source {name}: scopes", "note", message, hint)


def _first_page(api: ZimunClient, stream: str) -> str:
    page = api.page(stream)
    more = " and more" if page.next_page_token else ""
    return f"{len(page.items)} on the first page{more}"


def _ask(api: ZimunClient) -> str:
    """Ask when some service is free, as availability and holidays are told by such answers."""
    service = next(api.services(), None)
    if service is None:
        return "there is no service to ask for yet"
    asked = {"service_id": service.service_id, "days_ahead": "1"}
    if service.location_ids:
        asked["location_id"] = service.location_ids[0]
    with suppress(RequestRefused):  # this service cannot be booked; what is asked for is known
        api.page("availability", params=asked)
    return "answers"


def _check_sink(config: Config, store: Store, name: str) -> Finding:
    what = f"sink {name}"
    sink = build_sink(config, name)
    if not isinstance(sink, Checks):
        return Finding(what, "note", "its connector cannot be tried without writing")
    try:
        guard = config.guards[name]
        sink.check(sink_context(store, name, streams=config.streams, guard=guard))
    except SinkError as error:
        return Finding(what, "bad", error.message, error.hint)
    return Finding(what, "ok", "ready")
