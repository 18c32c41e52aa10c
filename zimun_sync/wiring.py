"""From configuration to objects: clients for sources, sinks for connectors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from zimun_sync.config import Config, SourceSettings
from zimun_sync.events import Emit, RequestRetried
from zimun_sync.pipeline.deletions import DeletionRules
from zimun_sync.pipeline.offers import HorizonRules
from zimun_sync.pipeline.passes import Paging
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.sinks import Sink
from zimun_sync.store import Brake, Keep
from zimun_sync.zimun import Timing, Waiting, ZimunClient


def retention(config: Config) -> Keep:
    """How long the state keeps what is over."""
    days = config.retention
    return Keep(days.inbox_days, days.runs_days, days.history_days, days.quarantine_days)


@contextmanager
def source_job(config: Config, name: str, emit: Emit, stop: Event) -> Iterator[SourceJob]:
    """A source ready to be pulled; its connections are closed at the end of the block."""
    settings, limits = config.sources[name], config.deletions
    rules = DeletionRules(Brake(limits.share, limits.least), limits.checks)

    def waiting(wait: Waiting) -> None:
        emit(RequestRetried(name, wait.call, wait.attempt, wait.seconds, wait.reason))

    with client(settings, waiting, stop) as api:
        yield SourceJob(
            name,
            api,
            settings.rules,
            settings.streams,
            rules,
            lambda: api.clock_ahead,
            HorizonRules(settings.availability_days, settings.availability_by_staff),
            Paging(settings.paging),
        )


def client(
    settings: SourceSettings, observer: Callable[[Waiting], None], stop: Event
) -> ZimunClient:
    """The API of a source; a context manager."""
    return ZimunClient(settings, timing=Timing(stop=stop), observer=observer)


def build_sinks(config: Config) -> dict[str, Sink]:
    """Every configured sink by name, none of them open."""
    return {name: build_sink(config, name) for name in config.sinks}


def build_sink(config: Config, name: str) -> Sink:
    """One configured sink, not open."""
    section = config.sinks[name]
    return section.connector.build(section.settings, config.folder)
