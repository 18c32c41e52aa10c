"""`zimun-sync sandbox`: the sandbox on the command line."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zimun_sync.sandbox.credentials import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from zimun_sync.sandbox.server import Sandbox


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.replace(tzinfo=UTC).date()


def sandbox(  # noqa: PLR0913 - a command line's options
    *,
    appointments: Annotated[int, typer.Option(min=0, help="How many to generate.")] = 3000,
    seed: Annotated[int, typer.Option(help="Another number, another world.")] = 1,
    today: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day that divides past from future, UTC."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="NDJSON to serve as appointments, byte for byte, line by line."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8765,
    latency_ms: Annotated[
        float, typer.Option(min=0, help="How long each page of a list takes, milliseconds.")
    ] = 0.0,
    page_size_max: Annotated[
        int, typer.Option(min=1, help="Records a page at most, whatever is asked for.")
    ] = 500,
    page_token_ttl: Annotated[
        float | None, typer.Option(min=0, help="Life of page tokens, seconds; default: for ever.")
    ] = None,
    token_ttl: Annotated[int, typer.Option(min=1, help="Life of access tokens, seconds.")] = 3600,
    client_id: Annotated[str, typer.Option(help="The API client's id.")] = CLIENT_ID,
    client_secret: Annotated[str, typer.Option(help="Its secret.")] = CLIENT_SECRET,
    fault: Annotated[
        list[str] | None, typer.Option(help="As 503:on=3,retry_after=2; see docs/sandbox.md.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Announce the addresses as one line of JSON.")
    ] = False,
) -> None:
    """Run a stand-in for the Zimun API until it is interrupted."""
    from zimun_sync.sandbox.faults.fault import read_fault
    from zimun_sync.sandbox.options import SandboxOptions
    from zimun_sync.sandbox.server import serve

    options = SandboxOptions(
        appointments=appointments,
        seed=seed,
        today=_day(today),
        data=data,
        host=host,
        port=port,
        latency_ms=latency_ms,
        page_size_max=page_size_max,
        page_token_ttl=page_token_ttl,
        token_ttl=token_ttl,
        client_id=client_id,
        client_secret=client_secret,
        faults=[read_fault(order) for order in fault or []],
    )
    serve(options, _announce_json if json_lines else _announce)


def _facts(running: "Sandbox") -> dict[str, Any]:
    return {
        "base_url": running.base_url,
        "token_url": running.token_url,
        "control_url": running.control_url,
        "client_id": running.client_id,
        "client_secret": running.client_secret,
        "organization_id": running.organization_id,
        "service_id": running.service_id,
        "appointments": len(running.world.appointments),
    }


def _announce_json(running: "Sandbox") -> None:
    typer.echo(json.dumps(_facts(running)))


def _announce(running: "Sandbox") -> None:
    facts = _facts(running)
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' ')}: {value}")
    typer.echo("")
    typer.echo(f"export ZIMUN_CLIENT_ID={facts['client_id']}")
    typer.echo(f"export ZIMUN_CLIENT_SECRET={facts['client_secret']}")
    typer.echo("Stop it with Ctrl-C.")
