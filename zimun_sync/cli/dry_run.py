"""`zimun-sync sync --dry-run`: what the next sync would write to remote systems."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.sinks import refuse_unknown
from zimun_sync.cli.tallies import tally_lines
from zimun_sync.config import Config
from zimun_sync.errors import SinkError
from zimun_sync.ids import Activation
from zimun_sync.model import from_micros
from zimun_sync.pipeline.activating import Tally
from zimun_sync.pipeline.consent import inactive_hint, lacks_consent, starting_from
from zimun_sync.pipeline.preview import Preview, Previewed
from zimun_sync.sinks import Difference, NeedsActivation, Previews, Sink
from zimun_sync.store import Store
from zimun_sync.wiring import build_sink

Streams = Mapping[str, Sequence[str]]

_STYLES: Final = {"create": "green", "update": "yellow", "link": "cyan", "reject": "red"}


@dataclass(slots=True)
class Part:
    """What came of some of the changes.

    Args:
        tally: everything, counted.
        differences: everything but what would be skipped.
    """

    tally: Tally = field(default_factory=Tally)
    differences: list[Difference] = field(default_factory=list)

    def add(self, previewed: Previewed) -> None:
        """Take a batch."""
        self.tally.add(previewed)
        self.differences += [each for each in previewed.differences if each.action != "skip"]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        told = [_difference_json(each) for each in self.differences]
        return self.tally.to_json() | {"differences": told}


@dataclass(slots=True)
class Rehearsed:
    """What one sink would do.

    Args:
        previews: whether its connector can tell.
        active: whether it may write.
        account: the remote account it writes to, where it tells.
        pending: changes that the next delivery brings.
        taken: changes that it has taken, and what was changed there since.
        trouble: why it could not be asked to the end.
    """

    previews: bool = True
    active: bool = True
    account: str | None = None
    pending: Part = field(default_factory=Part)
    taken: Part = field(default_factory=Part)
    trouble: SinkError | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        trouble = self.trouble
        return {
            "previews": self.previews,
            "active": self.active,
            "account": self.account,
            "pending": self.pending.to_json(),
            "taken": self.taken.to_json(),
            "error": None if trouble is None else trouble.message,
            "hint": None if trouble is None else trouble.hint,
        }


def rehearse(
    settings: Config, store: Store, sources: Sequence[str], sink: str | None = None
) -> dict[str, Rehearsed]:
    """Ask every sink, or one, what it would do with what is stored; nothing is written.

    Args:
        settings: the configuration.
        store: the state; only read.
        sources: whose records count.
        sink: the one to ask; None for all.

    Raises:
        ConfigError: there is no sink of that name.
    """
    if sink is not None:
        refuse_unknown(settings, sink)
    streams: Streams = {name: settings.sources[name].streams for name in sources}
    names = settings.sinks if sink is None else [sink]
    return {name: _rehearse(settings, store, name, streams) for name in names}


def _rehearse(settings: Config, store: Store, name: str, streams: Streams) -> Rehearsed:
    sink = build_sink(settings, name)
    if not isinstance(sink, Previews):
        return Rehearsed(previews=False)
    done = Rehearsed(active=lacks_consent(store, name, sink) is None)
    try:
        assumed = _assumed(store, sink, done)
        guard = settings.guards[name]
        with Preview(store, name, sink, assumed, settings.streams, guard) as preview:
            done.account = preview.account
            for previewed in preview.batches(streams, everything=True):
                (done.pending if previewed.pending else done.taken).add(previewed)
    except SinkError as error:
        done.trouble = error
    return done


def _assumed(store: Store, sink: Sink, done: Rehearsed) -> Activation | None:
    """The consent that a sink without one is asked under: as if it were activated now."""
    if done.active or not isinstance(sink, NeedsActivation):
        return None
    now = from_micros(store.now())
    return Activation(now, starting_from(sink.start_from, now))


def exit_code(found: dict[str, Rehearsed]) -> int:
    """0, or 1 where a sink could not be asked."""
    return 1 if any(each.trouble for each in found.values()) else 0


def to_json(found: dict[str, Rehearsed]) -> dict[str, Any]:
    """The object that `sync --dry-run --json` prints."""
    return {"sinks": {name: each.to_json() for name, each in found.items()}}


def print_rehearsed(console: Console, found: dict[str, Rehearsed]) -> None:
    """Each sink's differences, field by field, and their counts."""
    for name, each in found.items():
        for part in _shown(name, each):
            console.print(part)
    console.print("Nothing was pulled, and nothing was written.")


def _shown(name: str, each: Rehearsed) -> Iterator[Text | Table]:
    title = Text(f"sink {name}", "bold")
    if not each.previews:
        yield title.append(": its connector cannot tell what it would write.", "not bold dim")
        return
    yield title.append(f" ({each.account})" if each.account else "", "not bold")
    if not each.active:
        yield Text(f"  It is not active, and would write nothing. {inactive_hint(name)}", "yellow")
    yield from _part("The next sync would bring about:", each.pending)
    if each.taken.differences:
        yield from _part("Changed there since it was delivered (`replay` writes it):", each.taken)
    if each.trouble is not None:
        yield Text(f"  It could not be asked: {each.trouble.message}", "red")
        yield Text(f"  what to do: {each.trouble.hint}" * bool(each.trouble.hint))


def _part(title: str, part: Part) -> Iterator[Text | Table]:
    yield Text(f"  {title}")
    if part.differences:
        yield _table(part.differences)
    yield from (Text(f"  {line}") for line in tally_lines(part.tally))


def _table(differences: Sequence[Difference]) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    for column in ("record", "what", "object", "field", "present", "wanted"):
        table.add_column(column, overflow="fold")
    for difference in differences:
        for row in _rows(difference):
            table.add_row(*row)
    return table


def _rows(difference: Difference) -> Iterator[tuple[str | Text, ...]]:
    """One row a field; what is the same in all of them stands in the first."""
    what = Text(f"{difference.action} {difference.kind}", _STYLES.get(difference.action, ""))
    is_record = difference.kind == "appointment"
    record = f"{difference.source}/{difference.key}" if is_record else difference.key
    head = (record, what, difference.remote_id or "")
    if difference.message or not difference.fields:
        yield (*head, Text(difference.message, "dim"), "", "")
        head = ("", Text(""), "")
    for each in difference.fields:
        yield (*head, each.name, _words(each.present), _words(each.wanted))
        head = ("", Text(""), "")


def _words(value: Any) -> Text:
    if value is None:
        return Text("empty", "dim")
    return Text(str(_plain(value)))


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "source": difference.source,
        "stream": difference.stream,
        "key": difference.key,
        "kind": str(difference.kind),
        "action": difference.action,
        "remote_id": difference.remote_id,
        "fields": [
            {"name": each.name, "present": _plain(each.present), "wanted": _plain(each.wanted)}
            for each in difference.fields
        ],
        "message": difference.message,
    }


def _plain(value: Any) -> Any:
    """A field's value as JSON and people take it; instants in UTC."""
    match value:
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case _:
            return str(value)
