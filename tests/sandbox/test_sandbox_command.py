"""The command line: what it announces is true, and it ends when asked."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.sandbox.command import sandbox as command

RUN = "import typer; from zimun_sync.sandbox.command import sandbox; typer.run(sandbox)"


@pytest.fixture
def launch() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", RUN, "--port", "0", *arguments],
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_what_it_announces_until_it_is_stopped(launch: Any, number: int) -> None:
    world = ("--appointments", "30", "--today", "2020-06-01")
    process = launch("--json", *world, "--fault", "503", "--client-id", "me")
    facts = json.loads(line(process))
    assert (facts["client_id"], facts["appointments"]) == ("me", 30)
    token = httpx.post(
        facts["token_url"],
        auth=(facts["client_id"], facts["client_secret"]),
        data={"grant_type": "client_credentials"},
    ).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    url = f"{facts['base_url']}/appointments"
    assert httpx.get(url, headers=headers).status_code == 503
    items = httpx.get(url, headers=headers).json()["items"]
    assert len(items) == 30
    assert all("2019" <= item["appointment_time"] < "2020-08" for item in items)
    service = f"{facts['base_url']}/services/{facts['service_id']}"
    assert httpx.get(service, headers=headers).status_code == 200
    process.send_signal(number)
    assert process.wait(20) == 0


def test_people_get_lines_to_paste_into_their_shell(launch: Any) -> None:
    process = launch("--appointments", "1")
    process_lines = [line(process) for _ in range(12)]
    text = "".join(process_lines)
    assert "export ZIMUN_CLIENT_ID=zimun-sandbox\n" in text
    assert "export ZIMUN_CLIENT_SECRET=sandbox-secret\n" in text
    assert "base url: http://127.0.0.1:" in text


def test_options_that_make_no_sense_are_refused_before_anything_starts() -> None:
    app = typer.Typer()
    app.command()(command)
    runner = CliRunner()
    assert runner.invoke(app, ["--appointments", "-1"]).exit_code == 2
    assert runner.invoke(app, ["--today", "tomorrow"]).exit_code == 2
    assert isinstance(runner.invoke(app, ["--fault", "zzz"]).exception, ConfigError)


def test_a_port_in_use_is_one_clear_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            Sandbox(SandboxOptions(port=port, appointments=0))


def test_a_port_is_free_again_at_once() -> None:
    with Sandbox(SandboxOptions(appointments=0)) as first:
        port = int(first.root_url.rpartition(":")[2])
        assert httpx.get(f"{first.control_url}/clock").status_code == 200
    with Sandbox(SandboxOptions(appointments=0, port=port)) as second:
        assert second.root_url == first.root_url
        assert httpx.get(f"{second.control_url}/clock").status_code == 200
