"""The image and compose.yaml: what a container engine would be told."""

import json
import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.deploy.conftest import ROOT, read
from zimun_sync.config import load
from zimun_sync.config.serving import ServerSettings
from zimun_sync.sandbox.credentials import CLIENT_SECRET

HEALTHCHECK = ROOT / "deploy/container/healthcheck.py"
Instructions = list[tuple[str, str]]
Compose = dict[str, Any]


def final(instructions: Instructions) -> Instructions:
    """The last stage."""
    starts = [at for at, (word, _) in enumerate(instructions) if word == "FROM"]
    return instructions[starts[-1] :]


def values(instructions: Instructions, word: str) -> list[str]:
    return [rest for found, rest in final(instructions) if found == word]


# -- the Dockerfile -----------------------------------------------------------------------


def test_the_base_can_be_chosen_and_both_stages_share_it(instructions: Instructions) -> None:
    assert instructions[0] == ("ARG", "BASE=python:3.13-slim")
    assert [rest for word, rest in instructions if word == "FROM"] == [
        "${BASE} AS build",
        "${BASE}",
    ]


def test_it_runs_as_a_user_whose_number_an_orchestrator_can_check(
    instructions: Instructions,
) -> None:
    users = values(instructions, "USER")
    assert users == ["10001:10001"]
    after = final(instructions)[final(instructions).index(("USER", users[0])) :]
    assert not [rest for word, rest in after if word in ("RUN", "COPY", "ADD")]


def test_it_writes_to_one_volume_that_belongs_to_that_user(instructions: Instructions) -> None:
    assert values(instructions, "VOLUME") == ["/data"]
    assert values(instructions, "WORKDIR") == ["/data"]
    assert any("--owner=10001 --group=10001 /data" in each for each in values(instructions, "RUN"))


def test_it_starts_the_daemon_and_takes_any_other_command(instructions: Instructions) -> None:
    assert [json.loads(each) for each in values(instructions, "ENTRYPOINT")] == [["zimun-sync"]]
    assert [json.loads(each) for each in values(instructions, "CMD")] == [["serve"]]
    assert values(instructions, "STOPSIGNAL") == ["SIGTERM"]


def test_only_wheels_of_pinned_versions_are_installed(instructions: Instructions) -> None:
    [install] = [rest for word, rest in instructions if word == "RUN" and "pip install" in rest]
    for option in ("--only-binary=:all:", "--constraint=constraints.txt", "--no-cache-dir"):
        assert option in install
    assert "pip check" in install
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in read("constraints.txt").splitlines()
        if "==" in line
    }
    assert {"duckdb", "pyarrow", "sqlalchemy", "uvicorn", "uvloop"} <= pinned


def test_what_is_copied_is_sent_to_the_build_and_nothing_else(instructions: Instructions) -> None:
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    sources = [
        word
        for name, rest in instructions
        if name == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    ]
    assert set(sources) == allowed
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in read(".dockerignore").splitlines()


def test_no_secret_and_no_package_index_stays_in_it(instructions: Instructions) -> None:
    [(_, install)] = [each for each in instructions if "pip install" in each[1]]
    assert "--mount=type=secret,id=pip.conf" in install
    for name in ("Dockerfile", "compose.yaml", ".dockerignore"):
        assert not re.search(r"https?://(?!sandbox:)|index-url|find-links", read(name))


def test_it_carries_labels(instructions: Instructions) -> None:
    [labels] = values(instructions, "LABEL")
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels


# -- where it listens ---------------------------------------------------------------------


def test_it_listens_for_others_whatever_the_file_says(
    image: Mapping[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "zimun-sync.yaml"
    file.write_text(
        "server: {host: 127.0.0.1, port: 1234, admin_port: 9100}\n"
        "sources: {main: {client_id: a, client_secret: b}}\n"
    )
    server = load(file, image).server
    assert (server.host, server.port, server.admin_host) == ("0.0.0.0", 8090, "0.0.0.0")
    changed = {**image, "ZIMUN_SYNC_SERVER__HOST": "::", "ZIMUN_SYNC_SERVER__PORT": "80"}
    assert (load(file, changed).server.host, load(file, changed).server.port) == ("::", 80)


def test_the_port_is_the_daemons_own_and_exposed(
    image: Mapping[str, str], instructions: Instructions
) -> None:
    port = str(ServerSettings().port)
    assert image["ZIMUN_SYNC_SERVER__PORT"] == port
    assert values(instructions, "EXPOSE") == [port]


# -- the health check ---------------------------------------------------------------------


class Answering(BaseHTTPRequestHandler):
    """Answers 200 to /livez and 503 to all else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def checked(port: int, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {"ZIMUN_SYNC_SERVER__HOST": "0.0.0.0", "ZIMUN_SYNC_SERVER__PORT": str(port)}
    return subprocess.run(
        [sys.executable, str(HEALTHCHECK), *arguments],
        env=os.environ | environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_daemon_that_answers_is_healthy(port: int) -> None:
    assert checked(port).returncode == 0
    assert checked(port, http_proxy="http://127.0.0.1:9").returncode == 0
    assert checked(1, str(port), "/livez").returncode == 0


def test_a_daemon_that_says_otherwise_is_not(port: int) -> None:
    ended = checked(1, str(port), "/readyz")
    assert (ended.returncode, ended.stderr) == (1, "/readyz answers 503\n")


def test_nobody_there_is_not_healthy_either() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        ended = checked(taken.getsockname()[1])
    assert ended.returncode == 1
    assert "ConnectionRefusedError" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_asks_where_the_daemon_listens() -> None:
    address = runpy.run_path(str(HEALTHCHECK))["address"]
    asked = {
        host: address({"ZIMUN_SYNC_SERVER__HOST": host, "ZIMUN_SYNC_SERVER__PORT": "80"})[0]
        for host in ("0.0.0.0", "::", "10.1.2.3")
    }
    assert asked == {"0.0.0.0": "127.0.0.1", "::": "::1", "10.1.2.3": "10.1.2.3"}


def test_the_image_uses_it(instructions: Instructions) -> None:
    [check] = values(instructions, "HEALTHCHECK")
    assert check.endswith('CMD ["python", "/opt/zimun-sync/healthcheck.py"]')


# -- compose.yaml -------------------------------------------------------------------------


def test_every_service_is_contained(compose: Compose) -> None:
    assert set(compose["services"]) == {"sandbox", "zimun-sync"}
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]
        assert service["healthcheck"]["test"][0] == "CMD"


def test_the_daemon_waits_for_the_sandbox_to_be_healthy(compose: Compose) -> None:
    daemon = compose["services"]["zimun-sync"]
    assert daemon["depends_on"] == {"sandbox": {"condition": "service_healthy"}}


def test_the_daemon_may_drain_before_it_is_killed(compose: Compose) -> None:
    grace = int(compose["services"]["zimun-sync"]["stop_grace_period"].removesuffix("s"))
    assert grace > ServerSettings().drain_seconds


def test_it_is_published_to_this_machine_only(compose: Compose) -> None:
    assert compose["services"]["zimun-sync"]["ports"] == ["127.0.0.1:8090:8090"]


def test_files_that_compose_mounts_are_there(compose: Compose) -> None:
    named = [*compose["configs"].values(), *compose["secrets"].values()]
    assert all((ROOT / each["file"]).is_file() for each in named)
    assert read("deploy/container/sandbox/client_secret").strip() == CLIENT_SECRET


def test_its_configuration_is_right(
    compose: Compose, image: Mapping[str, str], tmp_path: Path
) -> None:
    secret = tmp_path / "client_secret"
    secret.write_text(CLIENT_SECRET)
    written = read("deploy/container/sandbox/config.yaml")
    assert "/run/secrets/client_secret" in written
    file = tmp_path / "config.yaml"
    file.write_text(written.replace("/run/secrets/client_secret", str(secret)))
    config = load(file, {**image, **compose["services"]["zimun-sync"]["environment"]})
    source = config.sources["main"]
    command = compose["services"]["sandbox"]["command"]
    assert source.base_url == f"http://sandbox:{command[command.index('--port') + 1]}/api/v1"
    assert len(source.webhook_secrets) == 1
    assert config.state.startswith("sqlite:////data/")
    [warning] = config.warnings  # the two containers talk in plain http
    assert "allow_plain_http" in warning
