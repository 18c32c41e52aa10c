"""The progress display on a terminal: each listing's pages and rate, each sink's lag."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.common import number
from zimun_sync.events import (
    BatchDelivered,
    Event,
    ListingRepeated,
    ListingRestarted,
    PageStored,
    RequestRetried,
    RunFinished,
    RunStarted,
    SinkParked,
    SinkWaiting,
)

_MARKS = {"succeeded": ("✓", "green"), "failed": ("✗", "red"), "not_offered": ("-", "dim")}


@dataclass(slots=True)
class _Listing:
    began: float
    already: int = 0
    pages: int = 0
    records: int = 0
    changed: int = 0
    quarantined: int = 0
    status: str = ""
    note: str = ""
    ended: float | None = None

    def rate(self) -> float:
        return (self.records - self.already) / max(
            (self.ended or time.monotonic()) - self.began, 0.001
        )


@dataclass(slots=True)
class _SinkLine:
    applied: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    lag: int = 0
    note: str = ""


class Display:
    """Shows events as they come; every method is safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listings: dict[str, _Listing] = {}
        self._sinks: dict[str, _SinkLine] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                note = f"resumed after page {event.pages}" if event.resumed else ""
                self._listings[_name(event)] = _Listing(
                    time.monotonic(), pages=event.pages, note=note
                )
            case PageStored():
                self._count(event)
            case RunFinished():
                self._finish(event)
            case ListingRestarted():
                self._listings[_name(event)].note = "listed again: page token expired"
            case ListingRepeated():
                self._listings[_name(event)].note = f"pass {event.passes}: {event.reason}"
            case RequestRetried():
                self._note_retry(event)
            case BatchDelivered():
                self._deliver(event)
            case SinkWaiting():
                self._sink(event.sink).note = f"waiting {event.wait:.0f} s: {event.reason}"
            case SinkParked():
                self._sink(event.sink).note = f"parked: {event.reason}"
            case _:
                pass

    def _count(self, event: PageStored) -> None:
        listing = self._listings[_name(event)]
        if not listing.records and listing.pages:
            listing.already = event.records  # a resumed run's rate counts only what is new
        listing.pages, listing.records = event.pages, event.records
        listing.changed, listing.quarantined = event.changed, event.quarantined

    def _finish(self, event: RunFinished) -> None:
        listing = self._listings[_name(event)]
        listing.status, listing.ended = event.status, time.monotonic()
        listing.records, listing.changed = event.records, event.changed
        listing.note = event.error or listing.note

    def _note_retry(self, event: RequestRetried) -> None:
        running = [each for each in self._listings.values() if not each.status]
        if running:
            running[-1].note = f"again in {event.wait:.0f} s: {event.reason}"

    def _deliver(self, event: BatchDelivered) -> None:
        sink = self._sink(event.sink)
        sink.applied += event.applied
        sink.unchanged += event.unchanged
        sink.rejected += event.rejected
        sink.skipped += event.skipped
        sink.lag, sink.note = event.lag, ""

    def _sink(self, name: str) -> _SinkLine:
        return self._sinks.setdefault(name, _SinkLine())

    def __rich__(self) -> RenderableType:
        """Both tables, as they stand."""
        with self._lock:
            table = Table.grid(padding=(0, 2))
            for name, listing in self._listings.items():
                table.add_row(*_listing_row(name, listing))
            for name, sink in self._sinks.items():
                table.add_row(*_sink_row(name, sink))
            return table


def _name(
    event: RunStarted | PageStored | RunFinished | ListingRestarted | ListingRepeated,
) -> str:
    return f"{event.source}/{event.stream}"


def _listing_row(name: str, listing: _Listing) -> tuple[RenderableType, ...]:
    mark, style = _MARKS.get(listing.status, ("…", "cyan"))
    return (
        Text(mark, style),
        Text(name),
        Text(f"{number(listing.pages)} pages", "dim"),
        Text(f"{number(listing.records)} records"),
        Text(f"{number(listing.rate())}/s", "dim"),
        Text(f"{number(listing.changed)} changed"),
        Text(_noted(listing.quarantined, listing.note), "yellow"),
    )


def _sink_row(name: str, sink: _SinkLine) -> tuple[RenderableType, ...]:
    return (
        Text("→", "magenta"),
        Text(name),
        Text(""),
        Text(f"{number(sink.applied)} applied"),
        Text(f"{number(sink.unchanged)} unchanged", "dim"),
        Text(f"lag {number(sink.lag)}"),
        Text(_set_aside(sink) + sink.note, "yellow"),
    )


def _set_aside(sink: _SinkLine) -> str:
    rejected = f"{number(sink.rejected)} rejected " * bool(sink.rejected)
    return rejected + f"{number(sink.skipped)} skipped " * bool(sink.skipped)


def _noted(quarantined: int, note: str) -> str:
    return f"{quarantined} in quarantine {note}" if quarantined else note


@contextmanager
def shown(console: Console) -> Iterator[Display]:
    """A display that is live for as long as the block runs."""
    display = Display()
    with Live(display, console=console, refresh_per_second=8, transient=True):
        yield display
