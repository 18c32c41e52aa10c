"""Takes webhooks into a state until it is killed: `python doomed.py FOLDER SECRET`."""

import sys
from pathlib import Path
from threading import Event

from zimun_sync.config import SourceSettings
from zimun_sync.config.serving import ServerSettings
from zimun_sync.store import Store
from zimun_sync.web import Endpoints, Intake, WebServer, verifiers_of


def failed(error: BaseException) -> None:
    raise error


def main(folder: str, secret: str) -> None:
    """Say where it listens, and go on for ever."""
    settings = {"client_id": "-", "client_secret": "-", "webhook_secrets": [secret]}
    verifiers = verifiers_of({"main": SourceSettings.model_validate(settings)})
    store = Store.open("sqlite:///state.db", Path(folder))
    intake = Intake(store.inbox, store.probe, lambda _: None, failed)
    intake.start()
    endpoints = Endpoints(lambda: verifiers, lambda _: None, intake=intake)
    server = WebServer(ServerSettings(port=0), endpoints, failed)
    server.start()
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
