"""`zimun-sync status` and `zimun-sync runs`: what the state tells."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    ago,
    iso,
    load_config,
    moment,
    number,
    open_store,
    out,
    print_json,
)

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.store import Run, Store


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(runs)


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show how each source and each sink stands."""
    settings = load_config(config)
    with open_store(settings) as store:
        content = _status(settings, store)
    if json:
        print_json(content)
    else:
        _print_status(content)


def _status(settings: "Config", store: "Store") -> dict[str, Any]:
    return {
        "sources": {name: _source(settings, store, name) for name in settings.sources},
        "sinks": {name: _sink(settings, store, name) for name in settings.sinks},
        "in_quarantine": store.quarantine.count_open(list(settings.sources), list(settings.sinks)),
    }


def _source(settings: "Config", store: "Store", name: str) -> dict[str, Any]:
    return {
        "organization": store.organization(name),
        "streams": {
            stream: _stream(store, name, stream) for stream in settings.sources[name].streams
        },
    }


def _stream(store: "Store", source: str, stream: str) -> dict[str, Any]:
    last = store.runs.latest(source, stream)
    good = store.runs.last_success(source, stream)
    return {
        "records": store.feed.count(source, stream),
        "last_run": None if last is None else run_json(last),
        "last_success": None if good is None else iso(good.finished_at),
        "freshness_seconds": _age(store, None if good is None else good.finished_at),
    }


def _age(store: "Store", micros: int | None) -> float | None:
    return None if micros is None else round(max(store.now() - micros, 0) / 1e6, 3)


def _sink(settings: "Config", store: "Store", name: str) -> dict[str, Any]:
    from zimun_sync.pipeline.report import lag_of

    streams = {source: list(each.streams) for source, each in settings.sources.items()}
    lag = lag_of(store, name, streams)
    parked = store.deliveries.parked().get(name)
    return {
        "type": settings.sinks[name].connector.name,
        "state": "parked" if parked else "behind" if lag.changes else "current",
        "lag": {"changes": lag.changes, "seconds": _age(store, lag.oldest) or 0.0},
        "reason": parked.reason if parked else None,
        "hint": parked.hint if parked else None,
        "since": iso(parked.since) if parked else None,
    }


def run_json(run: "Run") -> dict[str, Any]:
    """A run for programs."""
    return {
        "run_id": run.run_id,
        "source": run.source,
        "stream": run.stream,
        "status": run.status,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "pages": run.pages,
        "records": run.records,
        "changed": run.changed,
        "quarantined": run.quarantined,
        "tombstoned": run.tombstoned,
        "resumes": run.resumes,
        "restarts": run.restarts,
        "error": run.error,
        "hint": run.hint,
    }


def _print_status(content: dict[str, Any]) -> None:
    from rich.table import Table

    console = out()
    for name, source in content["sources"].items():
        console.print(f"[bold]source {name}[/] ({source['organization'] or 'never listed'})")
        table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
        for column in ("stream", "records", "last run", "last success", "pages"):
            table.add_column(column)
        for stream, each in source["streams"].items():
            table.add_row(*_stream_row(stream, each))
        console.print(table)
    for name, sink in content["sinks"].items():
        lag = sink["lag"]
        behind = f", {number(lag['changes'])} behind ({ago(lag['seconds'])})" * bool(lag["changes"])
        console.print(f"[bold]sink {name}[/] ({sink['type']}): {sink['state']}{behind}")
        if sink["reason"]:
            console.print(f"  {sink['reason']}\n  what to do: {sink['hint']}", markup=False)
    if content["in_quarantine"]:
        console.print(f"{number(content['in_quarantine'])} in quarantine")


def _stream_row(stream: str, each: dict[str, Any]) -> tuple[str, ...]:
    last = each["last_run"]
    fresh = each["freshness_seconds"]
    return (
        stream,
        number(each["records"]),
        last["status"].replace("_", " ") if last else "never",
        "never" if fresh is None else f"{ago(fresh)} ago",
        number(last["pages"]) if last else "0",
    )


def runs(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show the latest runs, the newest first."""
    settings = load_config(config)
    with open_store(settings) as store:
        latest = store.runs.recent(limit)
    if json:
        print_json([run_json(run) for run in latest])
    else:
        _print_runs(latest)


def _print_runs(latest: "list[Run]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "listing", "started", "status", "pages", "records", "changed"):
        table.add_column(column)
    for run in latest:
        counts = (number(count) for count in (run.pages, run.records, run.changed))
        listing = f"{run.source}/{run.stream}"
        table.add_row(run.run_id, listing, moment(run.started_at), run.status, *counts)
    out().print(table)
    for run in latest:
        if run.error:
            out().print(f"{run.run_id}: {run.error}", markup=False)
