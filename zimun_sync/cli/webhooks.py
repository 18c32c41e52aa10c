"""`zimun-sync webhooks`: have a source's events sent here, see who gets them, end it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, out, print_json
from zimun_sync.errors import ConfigError, NotFound, ScopeMissing

if TYPE_CHECKING:
    from zimun_sync.config import Config, SourceSettings
    from zimun_sync.zimun import Webhook, ZimunClient

app = typer.Typer(
    help="Webhooks: have a source's events sent here, see and end that, make a secret.",
    no_args_is_help=True,
)

SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", "-s", help="Which source, where there are several.", show_default=False
    ),
]


@app.command()
def register(
    url: Annotated[
        str,
        typer.Argument(help="Where this daemon is reached from outside, such as https://host."),
    ],
    source: SourceOption = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Event to send; by default those of the setting `webhook.events`."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Register anew, with the present secret and events."),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Have a source's events sent to a URL, signed with its first secret.

    Where the URL has no path, /webhooks/SOURCE is added.
    """
    settings = load_config(config)
    name = _source(settings, source)
    section = settings.sources[name]
    secret, target = _secret(name, section), _target(url, name)
    events = tuple(event or section.webhook.events)
    with _client(section) as api:
        former = [each for each in api.webhooks() if each.url == target]
        if former and not replace:
            _tell_present(name, former[0], events)
            return
        made = api.register_webhook(target, events, secret)
        for each in former:
            api.remove_webhook(each.webhook_id)
    _say(f"Registered {target} for source {name} as {made.webhook_id}: {', '.join(events)}.")


@app.command(name="list")
def list_(
    source: SourceOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Show the webhooks that the API has of each source."""
    settings = load_config(config)
    names = [_source(settings, source)] if source else list(settings.sources)
    found = {name: _webhooks(settings.sources[name]) for name in names}
    if json:
        print_json([_json(name, each) for name in names for each in found[name]])
        return
    for name, webhooks in found.items():
        for each in webhooks:
            _say(f"{name}: {each.webhook_id}  {each.url}  {', '.join(each.events or ())}")
        if not webhooks:
            _say(f"{name}: no webhooks are registered.")


@app.command()
def remove(
    webhook: Annotated[str, typer.Argument(help="The webhook's id, as `list` shows it.")],
    source: SourceOption = None,
    config: ConfigOption = None,
) -> None:
    """Have nothing sent to a webhook any more."""
    settings = load_config(config)
    name = _source(settings, source)
    with _client(settings.sources[name]) as api:
        try:
            api.remove_webhook(webhook)
        except NotFound as error:
            raise NotFound(
                f"Source {name} has no webhook {webhook!r}.",
                hint="`zimun-sync webhooks list` shows those it has.",
            ) from error
    _say(f"Removed webhook {webhook} of source {name}.")


@app.command()
def secret() -> None:
    """Print a new secret, for the setting `webhook_secrets`; it is kept nowhere."""
    from zimun_sync.zimun import fresh_secret

    typer.echo(fresh_secret())


def _source(settings: "Config", asked: str | None) -> str:
    """The source that is meant."""
    known = ", ".join(settings.sources)
    if asked is None and len(settings.sources) == 1:
        return next(iter(settings.sources))
    if asked is None:
        raise ConfigError("There are several sources.", hint=f"Add --source, one of: {known}.")
    if asked not in settings.sources:
        raise ConfigError(
            f"There is no source named {asked!r} in {settings.file}.", hint=f"Its sources: {known}."
        )
    return asked


def _secret(name: str, section: "SourceSettings") -> str:
    if not section.webhook_secrets:
        raise ConfigError(
            f"Source {name} has no secret for its webhooks to be signed with.",
            hint="Make one with `zimun-sync webhooks secret`, put it into the environment, and "
            f"name it in the configuration: sources.{name}.webhook_secrets: "
            '["${ZIMUN_WEBHOOK_SECRET}"].',
        )
    return section.webhook_secrets[0].get_secret_value()


def _target(url: str, source: str) -> str:
    """The URL to register; personal data is not sent over plain http to another machine."""
    from zimun_sync.network.addresses import is_loopback

    try:
        parts = urlsplit(url)
        complete = parts.hostname and parts.port != 0 and parts.scheme in {"http", "https"}
    except ValueError:
        complete = False
    if not complete or parts.username or parts.fragment:
        raise ConfigError(
            f"{url!r} is not the URL of a web server.",
            hint="Give the address that the source reaches, such as https://sync.example.org.",
        )
    if parts.scheme != "https" and not is_loopback(url):
        raise ConfigError(
            f"{url} is plain http, which would show personal data to everyone on the way.",
            hint="Use https, with a reverse proxy in front; docs/webhooks.md shows how.",
        )
    if parts.path in {"", "/"}:
        parts = parts._replace(path=f"/webhooks/{source}")
    return parts.geturl()


@contextmanager
def _client(section: "SourceSettings") -> "Iterator[ZimunClient]":
    from threading import Event

    from zimun_sync.wiring import client

    with client(section, lambda _wait: None, Event()) as api:
        try:
            yield api
        except ScopeMissing as error:
            raise ScopeMissing(
                error.message,
                hint="Give the API client the scope appointments:write, in Settings, API Clients; "
                "where the setting `scopes` is used, name it there too.",
            ) from error


def _webhooks(section: "SourceSettings") -> "Sequence[Webhook]":
    with _client(section) as api:
        return api.webhooks()


def _tell_present(name: str, present: "Webhook", events: Sequence[str]) -> None:
    _say(f"{present.url} is registered already for source {name}, as {present.webhook_id}.")
    if present.events is not None and set(present.events) != set(events):
        _say(f"It gets {', '.join(present.events)}; with --replace it gets {', '.join(events)}.")


def _json(source: str, webhook: "Webhook") -> dict[str, Any]:
    return {
        "source": source,
        "id": webhook.webhook_id,
        "url": webhook.url,
        "events": None if webhook.events is None else list(webhook.events),
    }


def _say(line: str) -> None:
    out().print(line, markup=False, soft_wrap=True)
