"""Messages to systemd, over a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from zimun_sync.daemon.notify import Notifier, watchdog_seconds


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd has one, and what it calls it."""
    named = str(tmp_path / "notify")
    if request.param == "abstract":
        named = f"@zimun-sync-test-{tmp_path.parent.name}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + named[1:] if named.startswith("@") else named)
        listening.settimeout(10)
        yield named, listening


def test_every_message_as_the_protocol_has_it(systemd: tuple[str, socket.socket]) -> None:
    named, listening = systemd
    notifier = Notifier({"NOTIFY_SOCKET": named}, monotonic=lambda: 12_345_678_901)
    assert notifier.is_listened_to
    notifier.status("Waits for another process.")
    notifier.ready("Serves 2 sources.")
    notifier.alive()
    notifier.reloading()
    notifier.ready()
    notifier.stopping("Drains.\nREADY=1")
    assert [listening.recv(4096).decode() for _ in range(6)] == [
        "STATUS=Waits for another process.",
        "READY=1\nSTATUS=Serves 2 sources.",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "READY=1",
        "STOPPING=1\nSTATUS=Drains. READY=1",
    ]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    assert not notifier.is_listened_to
    notifier.ready("Serves.")


def test_a_systemd_that_went_away_stops_nobody(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "42"}, 0.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_PID": "42"}, None),
        ({}, None),
    ],
)
def test_how_often_systemd_wants_to_hear(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ, pid=42) == seconds
