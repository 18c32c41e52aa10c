"""From configuration to objects: clients for sources, sinks for connectors."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from zimun_sync.config import Config, SourceSettings
from zimun_sync.events import Emit, RequestRetried
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.sinks import Sink
from zimun_sync.zimun import Timing, Waiting, ZimunClient


@contextmanager
def source_job(name: str, settings: SourceSettings, emit: Emit, stop: Event) -> Iterator[SourceJob]:
    """A source ready to be pulled; its connections are closed at the end of the block."""

    def waiting(wait: Waiting) -> None:
        emit(RequestRetried(name, wait.call, wait.attempt, wait.seconds, wait.reason))

    with ZimunClient(settings, timing=Timing(stop=stop), observer=waiting) as client:
        yield SourceJob(name, client, settings.rules, settings.streams)


def build_sinks(config: Config) -> dict[str, Sink]:
    """Every configured sink by name, none of them open."""
    return {name: build_sink(config, name) for name in config.sinks}


def build_sink(config: Config, name: str) -> Sink:
    """One configured sink, not open."""
    section = config.sinks[name]
    return section.connector.build(section.settings, config.folder)
