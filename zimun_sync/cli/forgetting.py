"""`zimun-sync forget`: erase a person, and keep them out from now on."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    iso,
    load_config,
    moment,
    number,
    open_store,
    out,
    print_json,
)
from zimun_sync.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.pipeline.deliver import Delivery
    from zimun_sync.pipeline.keeper import LeaseKeeper
    from zimun_sync.store import Forgetting, Store

_LEAST_DIGITS: Final = 6
_WARNING: Final = (
    "What is stored about this person is erased, here and in every sink that can do it, and kept "
    "out from now on. Nothing brings it back. Go on?"
)
_NOT_CONFIGURED: Final = "It is not configured any more: erase there by hand what it was given."
_DONE, _LEFT_OVER = 0, 3

EmailOption = Annotated[
    list[str] | None,
    typer.Option(
        "--email", help="An e-mail address of the person; repeatable.", show_default=False
    ),
]
PhoneOption = Annotated[
    list[str] | None,
    typer.Option("--phone", help="A telephone number of theirs; repeatable.", show_default=False),
]
IdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--id", help="An appointment of theirs, by its id; repeatable.", show_default=False
    ),
]
StaffOption = Annotated[
    list[str] | None,
    typer.Option("--staff", help="A staff member, by id; repeatable.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forget)


def forget(  # noqa: PLR0913, PLR0917 - one option each
    email: EmailOption = None,
    phone: PhoneOption = None,
    record_id: IdOption = None,
    staff: StaffOption = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where --id and --staff are looked for.")
    ] = None,
    receipts: Annotated[
        bool, typer.Option("--receipts", help="Show what became of every request so far.")
    ] = False,
    done: Annotated[
        int | None,
        typer.Option(
            "--done", help="The request of which you have done by hand what was left to you."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Erase a person from the state and from every sink, and keep them out from now on.

    Give every address and number that they used. Appointments stay, with nothing about the person
    in them. A running daemon does it, if there is one.

    Exit code 0: nothing is left. 1: it could not be carried out. 2: usage or configuration.
    3: something is left for a later delivery, or for you: the receipt tells what.
    """
    from zimun_sync.model import APPOINTMENTS, STAFF

    settings = load_config(config)
    if done is not None:
        _done_by_hand(settings, done)
    if receipts or done is not None:
        raise typer.Exit(_show_all(settings, json=json))
    records = {APPOINTMENTS.name: record_id or [], STAFF.name: staff or []}
    wanted = (email or [], phone or [])
    _refuse_unusable(*wanted, [each for keys in records.values() for each in keys])
    with open_store(settings) as store:
        named = [*_found(store, records, source)]
        if not yes:
            _ask()
        request = _request(settings, store, *wanted, named)
        _carry_out(settings, store, request)
        receipt = store.forgettings.get(request)
        copies = _copies(settings)
    if json:
        print_json(_json(receipt, copies))
    else:
        _print(receipt, copies)
    raise typer.Exit(_exit_code([receipt], copies))


def _done_by_hand(settings: "Config", request: int) -> None:
    with open_store(settings) as store:
        if not store.forgettings.done_by_hand(request, list(settings.sinks)):
            raise ConfigError(
                f"Nothing of request {request} was left to do by hand.",
                hint="`zimun-sync forget --receipts` shows every request.",
            )


def _refuse_unusable(emails: list[str], phones: list[str], ids: list[str]) -> None:
    if not emails and not phones and not ids:
        raise ConfigError(
            "Whom to forget is not said.",
            hint="Give every --email and --phone that the person used, or the --id of an "
            "appointment.",
        )
    for each in emails:
        if "@" not in each.strip("@ "):
            raise ConfigError("What was given with --email is no e-mail address.")
    for each in phones:
        if sum(character.isdigit() for character in each) < _LEAST_DIGITS:
            raise ConfigError("What was given with --phone is no telephone number.")
    if not all(each.strip() for each in ids):
        raise ConfigError("An empty --id names no record.")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            "Nobody is there to confirm.", hint="Give --yes where no person can be asked."
        )
    typer.confirm(_WARNING, abort=True)


def _found(store: "Store", records: "Mapping[str, list[str]]", source: str | None) -> Iterator[str]:
    """What stands for records that somebody named."""
    from zimun_sync.normalize import record_name

    for stream, keys in records.items():
        for key in keys:
            sources = [
                name for name in store.feed.heads() if store.feed.last_known(name, stream, [key])
            ]
            if source is not None:
                sources = [name for name in sources if name == source]
            if len(sources) != 1:
                raise _not_one(stream, key, sources)
            yield record_name(sources[0], stream, key)


def _not_one(stream: str, key: str, sources: list[str]) -> ConfigError:
    if sources:
        return ConfigError(
            f"{key!r} names {stream} of several sources: {', '.join(sources)}.",
            hint="Say which one with --source.",
        )
    return ConfigError(
        f"There is no {key!r} among the {stream}.", hint="`zimun-sync record` looks a record up."
    )


def _request(
    settings: "Config", store: "Store", emails: list[str], phones: list[str], ids: list[str]
) -> int:
    from zimun_sync.normalize import digests_of
    from zimun_sync.sinks import Erasure

    regions = list(dict.fromkeys(_regions(settings, store)))
    digests = digests_of(store.forgettings.key(), emails, phones, ids, regions)
    sinks = store.deliveries.everybody()
    request = store.forgettings.request(digests, sinks)
    for name in set(sinks) - set(settings.sinks):
        gone = Erasure(complete=False, message=_NOT_CONFIGURED)
        store.forgettings.settle(name, [request], gone)
    return request


def _regions(settings: "Config", store: "Store") -> Iterator[str | None]:
    """Countries whose rules may read a number that has no country code."""
    from zimun_sync.pipeline.places import places_of

    heads = store.feed.heads()
    for name, source in settings.sources.items():
        yield source.phone_region
        if name in heads:
            places = places_of(store, name)
            yield from (each.region for each in (places.organization, *places.locations.values()))


def _carry_out(settings: "Config", store: "Store", request: int) -> None:
    from zimun_sync.cli.asking import ask, daemon_runs

    try:
        if daemon_runs(store):
            ask(store, "forget", {"id": request})
        else:
            _carry_out_here(settings, store)
    except StoreError as error:
        message = f"Request {request} is kept, and not carried out yet. {error.message}"
        hint = error.hint or "The daemon, or the next sync, takes it up."
        raise type(error)(message, hint=hint) from error


def _carry_out_here(settings: "Config", store: "Store") -> None:
    """In the state, then in every sink that was delivered to; the API is not asked."""
    from zimun_sync.cli.syncing import listening, stopping_on_signals
    from zimun_sync.pipeline.contact import sink_lease, source_lease
    from zimun_sync.pipeline.forgetting import forget_in_state
    from zimun_sync.pipeline.keeper import LeaseKeeper
    from zimun_sync.pipeline.listings import EventSource
    from zimun_sync.pipeline.loops import Loops

    sources = [name for name in store.feed.heads() if name in settings.sources]
    sinks = [name for name in store.deliveries.everybody() if name in settings.sinks]
    names = [*map(source_lease, sources), *map(sink_lease, sinks)]
    with ExitStack() as stack:
        emit = stack.enter_context(listening(settings))
        stop = stack.enter_context(stopping_on_signals())
        keeper = stack.enter_context(LeaseKeeper(store, names, stop))
        owners = [
            EventSource(name, settings.sources[name].rules, keeper.held[source_lease(name)])
            for name in sources
        ]
        forget_in_state(store, owners, emit)
        with Loops(
            _deliveries(settings, store, sinks, keeper, emit, stop),
            stop,
            settings.sync.sink_patience,
        ):
            pass  # leaving it waits until everything is delivered


def _deliveries(
    settings: "Config",
    store: "Store",
    names: list[str],
    keeper: "LeaseKeeper",
    emit: Any,
    stop: Any,
) -> "list[Delivery]":
    from zimun_sync.pipeline.contact import Surroundings, delivery_of, sink_lease
    from zimun_sync.wiring import build_sink

    at = Surroundings(store, emit, stop, settings.streams, settings.guards)
    streams = {name: list(each.streams) for name, each in settings.sources.items()}
    return [
        delivery_of(name, build_sink(settings, name), keeper.held[sink_lease(name)], streams, at)
        for name in names
    ]


def _copies(settings: "Config") -> list[str]:
    """Copies of the state that hold what it held when they were made."""
    from zimun_sync.store.backups import copies_beside, sqlite_file

    if not settings.state.startswith("sqlite"):
        return []
    return [str(each) for each in copies_beside(sqlite_file(settings.state, settings.folder, ""))]


def _show_all(settings: "Config", *, json: bool) -> int:
    with open_store(settings) as store:
        found = store.forgettings.all()
    copies = _copies(settings) if found else []
    if json:
        print_json([_json(each, copies) for each in found])
        return _exit_code(found, copies)
    for each in found:
        _print(each, [])
    _print_copies(copies)
    if not found:
        out().print("Nobody has asked to be forgotten.")
    return _exit_code(found, copies)


def _exit_code(found: "list[Forgetting]", copies: list[str]) -> int:
    is_left = any(each.is_open for each in found)
    return _LEFT_OVER if is_left or copies else _DONE


def _json(receipt: "Forgetting", copies: list[str]) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "requested_at": iso(receipt.requested_at),
        "erased_from_state_at": iso(receipt.erased_at),
        "records": [
            {"source": source, "stream": stream, "records": count}
            for (source, stream), count in receipt.records.items()
        ],
        "sinks": [
            {
                "sink": each.sink,
                "status": each.status,
                "message": each.message,
                "at": iso(each.updated_at),
            }
            for each in receipt.receipts
        ],
        "copies_of_the_state": copies,
    }


def _print(receipt: "Forgetting", copies: list[str]) -> None:
    console = out()
    counts = ", ".join(
        f"{number(count)} {stream} of {source}"
        for (source, stream), count in receipt.records.items()
    )
    console.print(f"Request {receipt.id} of {moment(receipt.requested_at)}:", markup=False)
    state = f"erased from {counts}" if counts else "no record held anything"
    if receipt.erased_at is None:
        state = "not done yet: the daemon, or the next sync, takes it up"
    console.print(f"  the state: {state}.", markup=False)
    for each in receipt.receipts:
        status = each.status.replace("_", " ")
        told = each.message or "It has not come to it yet: its next delivery does it."
        console.print(f"  sink {each.sink}: {status}. {told}", markup=False)
    _print_copies(copies)


def _print_copies(copies: list[str]) -> None:
    if copies:
        console = out()
        console.print("  Copies of the state from before hold what it held; delete them by hand:")
        for each in copies:
            console.print(f"    {each}", markup=False)
