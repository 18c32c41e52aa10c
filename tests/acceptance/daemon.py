"""The daemon as people run it: a process, its address, and what the sandbox sends it."""

import json
import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.acceptance.asking import HTTP
from tests.acceptance.program import PATIENCE_SECONDS, PROGRAM, Project, neutral_environment
from zimun_sync.sandbox import Sandbox, SandboxOptions


def fresh_secret() -> str:
    """A webhook secret that nobody has."""
    return "whsec_" + b64encode(os.urandom(32)).decode()


def until(reached: Callable[[], Any], what: str) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := reached()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)
    return found


@dataclass
class Daemon:
    """A running `zimun-sync serve`."""

    project: Project
    process: subprocess.Popen[str]
    url: str
    secret: str

    def status(self) -> Any:
        """What `/status` tells."""
        return HTTP.get(f"{self.url}/status").json()

    def get(self, path: str) -> httpx.Response:
        return HTTP.get(f"{self.url}{path}")

    def send(
        self, body: bytes, *, event_id: str, secret: str = "", at: float | None = None
    ) -> httpx.Response:
        """Send a signed webhook, as the API would."""
        moment = int(time.time() if at is None else at)
        key = Webhook(secret or self.secret)
        signature = sign(key, event_id, moment, body)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature,
        }
        return HTTP.post(f"{self.url}/webhooks/main", content=body, headers=headers)

    def register(self, sandbox: Sandbox) -> None:
        """Have the sandbox tell of every change."""
        ended = self.project.run("webhooks", "register", self.url)
        assert ended.code == 0, ended.err

    def has_pulled(self) -> bool:
        """Whether everything was listed and delivered."""
        status = self.status()
        appointments = status["sources"]["main"]["streams"]["appointments"]
        lags = [sink["lag"]["changes"] for sink in status["sinks"].values()]
        return appointments["last_success"] is not None and not any(lags)

    def wait_for_first_pull(self) -> None:
        until(self.has_pulled, "the first pull is delivered")

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    @property
    def log_file(self) -> Path:
        return self.project.folder / "serve.log"


def sign(key: Webhook, event_id: str, moment: int, body: bytes) -> str:
    """A Standard Webhooks signature over bytes, which need not be text."""
    import hmac

    content = f"{event_id}.{moment}.".encode() + body
    return "v1," + b64encode(hmac.digest(key._whsecret, content, "sha256")).decode()


def serve_settings(project: Project, secret: str, port: int = 0) -> None:
    """Make the project's configuration one for a daemon."""
    project.source["webhook_secrets"] = [secret]
    project.settings["server"] = {"port": port}
    project.settings["schedule"] = {"timezone": "Europe/Berlin", "jitter": 0}
    project.settings["log"] = {"format": "json"}
    project.save()


@contextmanager
def serving(project: Project, secret: str) -> Iterator[Daemon]:
    """`zimun-sync serve` for the length of the block; killed at its end."""
    log = project.folder / "serve.log"
    with log.open("a", encoding="utf-8") as stream:
        before = log.stat().st_size
        process = subprocess.Popen(
            [PROGRAM, "serve"],
            cwd=project.folder,
            env=neutral_environment(),
            text=True,
            stderr=stream,
            stdout=stream,
        )
    try:
        url = until(lambda: _address(log, before, process), "the daemon tells its address")
        yield Daemon(project, process, url, secret)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Shared:
    """A daemon that outlives the test, its project and its source; a test may change all three."""

    sandbox: Sandbox
    project: Project
    daemon: Daemon


@contextmanager
def shared_daemon(folder: Path, rows: int, *further_secrets: str) -> Iterator[Shared]:
    """One that has pulled that many appointments, for the length of the block."""
    with Sandbox(SandboxOptions(appointments=rows)) as sandbox:
        project = Project(folder / "project", sandbox.base_url)
        secret = fresh_secret()
        serve_settings(project, secret)
        project.source["webhook_secrets"] += further_secrets
        project.save()
        with serving(project, secret) as daemon:
            daemon.wait_for_first_pull()
            yield Shared(sandbox, project, daemon)


def _address(log: Path, before: int, process: subprocess.Popen[str]) -> str:
    text = log.read_bytes()[before:].decode()
    for line in text.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if event["event"] == "daemon_started":
                return str(event["address"])
    assert process.poll() is None, text
    return ""
