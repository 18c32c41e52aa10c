"""Telling systemd how the daemon is (the sd_notify protocol); elsewhere nothing is told."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

#: Longest time a message may take: systemd reads at once, or is in trouble itself.
_TIMEOUT_SECONDS: Final = 5.0


class Notifier:
    """Messages to the service manager that started this process.

    Without one (`NOTIFY_SOCKET` is not set, or no path) nothing happens. A message that cannot
    be delivered is let go: the manager's own timeouts are there for that. Thread safe.

    Args:
        environ: the process's environment.
        monotonic: nanoseconds of CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._monotonic = monotonic

    @property
    def is_listened_to(self) -> bool:
        """Whether there is a service manager."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """The daemon serves, for the first time or after a reload."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """The configuration is read anew; `ready` tells when that is over."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic() // 1000}")

    def stopping(self, status: str = "") -> None:
        """The daemon drains and ends."""
        self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._send(*_status(text))

    def alive(self) -> None:
        """The daemon is not stuck; to be told at least every `watchdog_seconds`."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(_TIMEOUT_SECONDS)
            try:
                channel.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return  # who should hear of it is the one that does not listen


def watchdog_seconds(
    environ: Mapping[str, str] = os.environ, pid: int | None = None
) -> float | None:
    """How often systemd wants to hear `alive`, at least; None if it does not watch this process.

    Args:
        environ: the process's environment.
        pid: of this process, by default.
    """
    asked = environ.get("WATCHDOG_USEC", "")
    watched = environ.get("WATCHDOG_PID", "")
    if not asked.isdecimal() or int(asked) == 0:
        return None
    if watched and watched != str(os.getpid() if pid is None else pid):
        return None
    return int(asked) / 1e6


def _address(path: str) -> str:
    """The socket's address as Python wants it; empty where it is not a path."""
    if path.startswith("@"):
        return "\0" + path[1:]  # Linux's abstract names
    return path if path.startswith("/") else ""


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())}",) if text else ()
