"""The vendor's published examples run unchanged but for the host, the ids and the dates."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from zimun_sync.sandbox import Sandbox

EXAMPLES = Path(__file__).parent / "vendor_examples"


@pytest.fixture
def sandbox(serve: Any) -> Sandbox:
    """A sandbox without bookings, so that every working hour of the week is free."""
    empty: Sandbox = serve(appointments=0)
    return empty


@pytest.fixture
def environment(sandbox: Sandbox, api: httpx.Client) -> dict[str, str]:
    slots = api.get("/availability", params={"service_id": sandbox.service_id}).json()["slots"]
    return os.environ | {
        "ZIMUN_HOST": sandbox.root_url,
        "ZIMUN_CLIENT_ID": sandbox.client_id,
        "ZIMUN_CLIENT_SECRET": sandbox.client_secret,
        "ZIMUN_ORGANIZATION": sandbox.organization_id,
        "ZIMUN_SERVICE": sandbox.service_id,
        "ZIMUN_TIME": slots[-1]["start"],
        "ZIMUN_NEW_TIME": slots[-4]["start"],
    }


def run(command: list[str], environment: dict[str, str], api: httpx.Client) -> None:
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    key, status = ended.stdout.split()
    assert status == "cancelled"
    record = api.get(f"/appointments/{key}").json()
    assert record["appointment_time"] == environment["ZIMUN_NEW_TIME"]
    assert record["status"] == "cancelled"


def test_the_python_example(environment: dict[str, str], api: httpx.Client) -> None:
    run([sys.executable, str(EXAMPLES / "booking.py")], environment, api)


@pytest.mark.skipif(
    not (shutil.which("node") and (EXAMPLES / "node_modules" / "axios").is_dir()),
    reason="Node or axios is not installed: npm install --no-package-lock in vendor_examples",
)
def test_the_node_example(environment: dict[str, str], api: httpx.Client) -> None:
    run(["node", str(EXAMPLES / "booking.mjs")], environment, api)
