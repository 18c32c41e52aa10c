"""The page on webhooks is true: its commands work, and it names every answer."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.web.conftest import SECRET, Stage, source
from zimun_sync.web import webhooks
from zimun_sync.zimun import signatures

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
STANDARD, PLAIN = re.findall(r"```sh\n(url=.*?)```", TEXT, re.DOTALL)
(HMAC,) = [each for each in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "hmac" in each]

needs_tools = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"
)


def run(script: str, address: str) -> str:
    script = script.replace("http://127.0.0.1:8090", address)
    environment = os.environ | {"ZIMUN_WEBHOOK_SECRET": SECRET}
    ended = subprocess.run(
        ["sh", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout


@needs_tools
def test_an_event_can_be_signed_with_openssl(stage: Stage) -> None:
    running = stage.serve()
    answered = [run(STANDARD, running.server.address) for _ in range(2)]
    assert all(each.startswith("HTTP/1.1 202 Accepted") for each in answered)
    assert [body for _, body in running.stored()] == [
        b'{"type":"appointment.updated","data":{"appointment_id":"a_check"}}'
    ] * 2


@needs_tools
def test_the_other_signature_with_the_settings_shown(stage: Stage) -> None:
    webhook = yaml.safe_load(HMAC)["sources"]["main"]["webhook"]
    running = stage.serve(sources={"main": source(webhook=webhook)})
    answered = [run(PLAIN, running.server.address) for _ in range(2)]
    assert all(each.startswith("HTTP/1.1 202 Accepted") for each in answered)
    assert len(running.stored()) == 1


@pytest.mark.parametrize("module", [webhooks, signatures])
def test_every_answer_is_named(module: object) -> None:
    written = Path(str(getattr(module, "__file__", ""))).read_text(encoding="utf-8")
    codes = set(re.findall(r'"((?:missing|malformed|wrong|too|not)-[a-z]+)"', written))
    assert len(codes) >= 3
    for code in codes | {"encoded", "unavailable"}:
        assert f"`{code}`" in TEXT
