"""`zimun-sync state`: look at the state, back it up, restore it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    iso,
    load_config,
    moment,
    number,
    out,
    print_json,
)
from zimun_sync.errors import ConfigError

if TYPE_CHECKING:
    from zimun_sync.store.backups import Backup
    from zimun_sync.store.facts import Facts
    from zimun_sync.store.inspection import StateInfo
    from zimun_sync.store.restoring import Restored

app = typer.Typer(help="The state: look at it, back it up, restore it.", no_args_is_help=True)

_MEGABYTE = 1_000_000


@app.command()
def info(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Tell where the state is, who it is, its schema and size, and who works on it."""
    from zimun_sync.store.inspection import look_at

    settings = load_config(config)
    found = look_at(settings.state, settings.folder)
    if json:
        print_json(_info_json(found))
    else:
        _print_info(found)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the backup goes.")],
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Copy the state to a file, while it is in use or not."""
    from zimun_sync.store.backups import back_up

    if str(file) == "-":
        raise ConfigError("A backup is a file, not a stream.", hint="Name a file.")
    settings = load_config(config)
    made = back_up(settings.state, settings.folder, file, force=force)
    if json:
        print_json(_backup_json(made))
        return
    out().print(
        f"Backed up to {made.file}: {_megabytes(made.size_bytes)}, schema {made.facts.schema}, "
        f"checked.",
        markup=False,
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup in place of the state, which is kept beside it.

    Sinks then wait, parked, until someone has looked at what they hold: `adopt` or `resume`.
    """
    from zimun_sync.store.restoring import restore as restore_state

    settings = load_config(config)
    done = restore_state(settings.state, settings.folder, file)
    if json:
        print_json(_restored_json(done))
    else:
        _print_restored(done)


def _facts_json(facts: "Facts") -> dict[str, Any]:
    return {
        "store_id": facts.store_id,
        "schema": facts.schema,
        "created_at": iso(facts.created_at),
        "as_of": iso(facts.as_of),
    }


def _backup_json(made: "Backup") -> dict[str, Any]:
    return {"file": str(made.file), "size_bytes": made.size_bytes} | _facts_json(made.facts)


def _restored_json(done: "Restored") -> dict[str, Any]:
    return {
        "state": str(done.state),
        "former_state": None if done.kept is None else str(done.kept),
        "parked": list(done.parked),
        "superseded_runs": done.superseded,
        "forgotten_again": done.forgotten,
    } | _facts_json(done.facts)


def _info_json(found: "StateInfo") -> dict[str, Any]:
    from zimun_sync.store.revisions import HEAD

    return {
        "state": found.where,
        "size_bytes": found.size_bytes,
        **_facts_json(found.facts),
        "newest_schema": HEAD,
        "leases": [
            {"name": name, "host": each.host, "pid": each.pid, "since": iso(each.since)}
            for name, each in found.held.items()
        ],
        "copies": [
            {"file": str(each.file), "size_bytes": each.size_bytes, "made_at": iso(each.made_at)}
            for each in found.copies
        ],
    }


def _print_info(found: "StateInfo") -> None:
    from zimun_sync.store.revisions import HEAD

    rows = [
        ("state", found.where),
        ("size", _megabytes(found.size_bytes)),
        ("schema", f"{found.facts.schema} (this release: {HEAD})"),
        ("identity", found.facts.store_id),
        ("created", moment(found.facts.created_at)),
        ("last work", moment(found.facts.as_of)),
        *(("in use", f"{name}: {holder}") for name, holder in found.held.items()),
        *(("copy", f"{each.file}, {_megabytes(each.size_bytes)}") for each in found.copies),
    ]
    for label, text in rows:
        out().print(f"{label:>9}: {text}", markup=False)


def _print_restored(done: "Restored") -> None:
    console = out()
    console.print(
        f"Restored {done.state} as of {moment(done.facts.as_of)}, schema {done.facts.schema}.",
        markup=False,
    )
    if done.kept is not None:
        console.print(f"The former state is {done.kept}.", markup=False)
    if done.superseded:
        console.print(f"{number(done.superseded)} unfinished listings begin anew.")
    if done.forgotten:
        console.print("Who was forgotten since will be forgotten again, with the next sync.")
    if done.forgotten is None:
        console.print(
            "Whom the former state had forgotten cannot be read: for each of those people, give "
            "`zimun-sync forget` again.",
            soft_wrap=True,
        )
    if done.parked:
        console.print(
            f"Parked until you have looked: {', '.join(done.parked)}. First bring the state up to "
            "date: `zimun-sync sync`. Then for each sink `zimun-sync adopt SINK`, which compares "
            "and delivers anew, or `zimun-sync resume SINK`, which delivers on.",
            markup=False,
            soft_wrap=True,
        )


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB"
