"""`zimun-sync config`: the configuration as it is, its schema, and putting it into effect."""

import typer

from zimun_sync.cli.common import ConfigOption, load_config, open_store, out, print_json
from zimun_sync.errors import ConfigError

app = typer.Typer(
    help="The configuration: show it or its JSON schema, put it into effect.", no_args_is_help=True
)


@app.command("show")
def show_config(config: ConfigOption = None) -> None:
    """Show the configuration in effect, its secrets masked."""
    from zimun_sync.config import show

    typer.echo(show(load_config(config)), nl=False)


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    from zimun_sync.config import schema as build

    print_json(build())


@app.command()
def reload(config: ConfigOption = None) -> None:
    """Have the running daemon put its configuration into effect as it is now.

    A configuration with a mistake changes nothing; the mistake is told.
    """
    from zimun_sync.cli.asking import ask, daemon_runs

    settings = load_config(config)
    with open_store(settings) as store:
        if not daemon_runs(store):
            raise ConfigError("No daemon runs on this state.", hint="Start it: zimun-sync serve")
        ask(store, "reload", {})
    out().print("The daemon works by the configuration as it is now.")
