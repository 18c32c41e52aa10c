"""Delivers the events of one webhook from a thread of its own until they are taken."""

import hmac
import http.client
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from time import monotonic
from urllib.parse import urlsplit

from zimun_sync.sandbox.world.clock import Now

#: The longest pause between two attempts, and the patience with a receiver, seconds.
_LONGEST_PAUSE, _TIMEOUT = 3600.0, 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way.

    Args:
        id: the same for each attempt, so that the receiver can tell duplicates.
        body: the JSON.
    """

    id: str
    body: bytes


class Courier:
    """Sends messages to one receiver; those not answered with 2xx again, ever more seldom.

    Args:
        url: the receiver, http or https.
        key: signs the messages.
        now: the clock that attempts are stamped with.
        first_pause: seconds before the second attempt; each further pause is twice as long.
    """

    def __init__(self, url: str, key: bytes, now: Now, first_pause: float) -> None:
        self._target = urlsplit(url)
        self._key = key
        self._now = now
        self._first_pause = first_pause
        self._due: list[tuple[float, int, int, Message]] = []
        self._order = count()
        self._wake = Condition()
        self._stopping = False
        self._delivered = self._failed = 0
        self._thread = Thread(target=self._work, name="sandbox-webhook", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Takes a message for delivery at once."""
        with self._wake:
            self._schedule(message, attempt=0, pause=0.0)

    def report(self) -> dict[str, int]:
        """Counts of messages `delivered`, attempts `failed`, and messages `waiting`."""
        with self._wake:
            return {
                "delivered": self._delivered,
                "failed": self._failed,
                "waiting": len(self._due),
            }

    def stop(self) -> None:
        """Has the thread end after the attempt under way; what waits is dropped."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self) -> None:
        """Waits for the thread to end."""
        self._thread.join()

    def _schedule(self, message: Message, *, attempt: int, pause: float) -> None:
        heappush(self._due, (monotonic() + pause, next(self._order), attempt, message))
        self._wake.notify()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            attempt, message = job
            taken = self._attempt(message)
            with self._wake:
                self._delivered += taken
                self._failed += not taken
                if not taken:
                    pause = min(_LONGEST_PAUSE, self._first_pause * 2**attempt)
                    self._schedule(message, attempt=attempt + 1, pause=pause)

    def _next(self) -> tuple[int, Message] | None:
        """Waits for the next message that is due; None when it is time to stop."""
        with self._wake:
            while not self._stopping:
                pause = self._due[0][0] - monotonic() if self._due else None
                if pause is not None and pause <= 0:
                    _, _, attempt, message = heappop(self._due)
                    return attempt, message
                self._wake.wait(pause)
            return None

    def _attempt(self, message: Message) -> bool:
        path = (self._target.path or "/") + (f"?{self._target.query}" if self._target.query else "")
        try:
            with closing(self._connection()) as connection:
                connection.request("POST", path, message.body, self._headers(message))
                status = connection.getresponse().status
        except (OSError, UnicodeError, http.client.HTTPException):
            return False
        return 200 <= status < 300  # noqa: PLR2004 - 2xx

    def _connection(self) -> http.client.HTTPConnection:
        if self._target.scheme == "https":
            return http.client.HTTPSConnection(self._target.netloc, timeout=_TIMEOUT)
        return http.client.HTTPConnection(self._target.netloc, timeout=_TIMEOUT)

    def _headers(self, message: Message) -> dict[str, str]:
        timestamp = int(self._now().timestamp())
        signed = f"{message.id}.{timestamp}.".encode() + message.body
        signature = b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        return {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{signature}",
        }
