"""Killed under load, the state holds every event that was acknowledged."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.web.conftest import PATIENCE_SECONDS, SECRET, event, signed, wait_until
from zimun_sync.store import Store

DOOMED = Path(__file__).with_name("doomed.py")
CLIENTS = 12


def keep_posting(address: str, client: int, acknowledged: list[str]) -> None:
    """Post event after event until the server is gone."""
    with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as connection:
        for number in count():
            name = f"msg_{client}_{number}"
            headers = signed(event(number), name)
            try:
                answer = connection.post("/webhooks/main", content=event(number), headers=headers)
            except httpx.TransportError:
                return
            assert answer.status_code == 202
            acknowledged.append(name)


@pytest.mark.parametrize("enough", [1, 40, 400])
def test_every_acknowledged_event_outlives_a_kill(tmp_path: Path, enough: int) -> None:
    acknowledged: list[str] = []
    command = [sys.executable, str(DOOMED), str(tmp_path), SECRET]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            posting = [
                clients.submit(keep_posting, address, client, acknowledged)
                for client in range(CLIENTS)
            ]
            wait_until(lambda: len(acknowledged) >= enough)
        finally:
            process.kill()
        for each in posting:
            each.result()
    with Store.open("sqlite:///state.db", tmp_path) as store:
        stored = {each.event_id for each in store.inbox.next("main", 100_000)}
    assert len(acknowledged) >= enough
    assert stored.issuperset(acknowledged)
    assert len(stored) <= len(acknowledged) + CLIENTS
