"""HubSpot's API on loopback, with a portal behind it that remembers and faults at will.

Written from HubSpot's public documentation: date-versioned paths, 207 with partial errors, 409
for a whole batch, rate limits with their headers, expired tokens, a search that lags.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from tests.hubspot.portal import Portal
from tests.hubspot.routes import Call, Reply, answer, call_of, writes

TOKEN: Final = "pat-eu1-0123456789"
SCOPES: Final = frozenset(
    {
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.appointments.read",
        "crm.objects.appointments.write",
        "crm.schemas.contacts.read",
        "crm.schemas.contacts.write",
        "crm.schemas.appointments.read",
        "crm.schemas.appointments.write",
        "crm.objects.owners.read",
    }
)


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with calls of a name.

    Args:
        call: which, as `contacts/upsert`; `writes`: any that writes; empty: any.
        status: what is answered; None cuts the connection.
        commits: whether the call is carried out first.
        body: of the answer.
        headers: of the answer.
        times: how many calls it meets.
    """

    call: str = ""
    status: int | None = 500
    commits: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1

    def meets(self, call: Call) -> bool:
        return self.call in ("", call.name) or (self.call == "writes" and call.writes)


class FakeHubspot:
    """A running fake. Use it as a context manager.

    Args:
        portal: what it serves; tests may look into it and change it at any time.

    Attributes:
        calls: how often each call was answered, by name, such as `meetings/upsert`.
        written: objects and pairs that were sent in calls that write.
        scopes: what the app may do.
        ten_seconds: calls in ten seconds.
        daily: calls left today; OAuth apps are not told.
        before: what happens just before a call of a name is answered, once.
        multi_status: answers single bad rows with 207 if every row has a trace id.
        conflicts_in_rows: answers a conflict as a bad row, too, instead of 409.
        echoes_traces: tells of each result which row it was.
    """

    def __init__(self, portal: Portal | None = None) -> None:
        self.portal = portal or Portal()
        self.calls: Counter[str] = Counter()
        self.scopes = set(SCOPES)
        self.ten_seconds = 100_000
        self.daily = 250_000
        self.before: dict[str, Callable[[], object]] = {}
        self.multi_status = True
        self.conflicts_in_rows = False
        self.echoes_traces = False
        self.tokens = {TOKEN}
        self.held = Event()
        self.written = 0
        self._faults: list[Fault] = []
        self._recent: deque[float] = deque()
        self._lock = RLock()
        self._hold_at: int | None = None
        self._commits = 0
        self._released = Event()
        self._issued = 0
        self._server = _server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What stands in for `https://api.hubapi.com`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> int:
        """Calls that were to change objects or associations."""
        return sum(made for name, made in self.calls.items() if writes(name))

    def fail(self, *faults: Fault) -> None:
        """Go wrong from now on, each fault in its turn."""
        self._faults += faults

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()

    def limit(self, times: int = 1, *, retry_after: str | None = None) -> None:
        """Answer the next calls that there were too many in ten seconds."""
        body = _limited("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        self.fail(Fault(status=429, body=body, headers=headers, times=times))

    def hold_after(self, commits: int) -> None:
        """Answer nothing any more once so many writes are carried out; then `held` is set."""
        self._hold_at = self._commits + commits

    def release(self) -> None:
        """Answer again, also what was held back."""
        self._hold_at = None
        self.held.clear()
        self._released.set()
        self._released = Event()

    def expire_tokens(self) -> None:
        """Every token given so far is refused."""
        self.tokens.clear()

    def handle(self, call: Call) -> Reply | None:
        """The answer to a call; None: the connection is cut."""
        if call.name == "token":
            return self._signed_in(call)
        with self._lock:
            reply = self._refused(call)
            if reply is None:
                reply = self._carried_out(call)
        released = self._released
        if self.held.is_set():
            released.wait()
            return None
        return reply

    def _refused(self, call: Call) -> Reply | None:
        self.calls[call.name] += 1
        self.written += len(call.body.get("inputs", [call])) if call.writes else 0
        if call.token not in self.tokens:
            return Reply(401, _error("EXPIRED_AUTHENTICATION", "The token expired."))
        over = self._over_limits()
        if over is not None:
            return over
        missing = {scope for scope in call.scopes if scope not in self.scopes}
        return Reply(403, _missing_scopes(missing)) if missing else None

    def _carried_out(self, call: Call) -> Reply | None:
        fault = next((each for each in self._faults if each.meets(call)), None)
        if fault is not None:
            fault.times -= 1
            self._faults = [each for each in self._faults if each.times > 0]
            if fault.commits:
                self._answered(call)
            if fault.status is None:
                return None
            return Reply(fault.status, dict(fault.body), {**self._headers(call), **fault.headers})
        reply = self._answered(call)
        reply.headers.update(self._headers(call))
        return reply

    def _answered(self, call: Call) -> Reply:
        self.before.pop(call.name, lambda: None)()
        reply = answer(self, call)
        if call.writes and reply.status < 400:
            self._commits += 1
            if self._hold_at is not None and self._commits >= self._hold_at:
                self.held.set()
        return reply

    def _over_limits(self) -> Reply | None:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 10:
            self._recent.popleft()
        self._recent.append(now)
        self.daily -= 1
        if self.daily < 0:
            return Reply(429, _limited("DAILY", "You have reached your daily limit."))
        if len(self._recent) > self.ten_seconds:
            text = "You have reached your ten_secondly_rolling limit."
            return Reply(429, _limited("TEN_SECONDLY_ROLLING", text))
        return None

    def _headers(self, call: Call) -> dict[str, str]:
        if call.name.endswith("/search"):
            return {}
        left = max(self.ten_seconds - len(self._recent), 0)
        headers = {
            "X-HubSpot-RateLimit-Max": str(self.ten_seconds),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        if call.token == TOKEN:
            headers["X-HubSpot-RateLimit-Daily"] = "250000"
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(self.daily, 0))
        return headers

    def _signed_in(self, call: Call) -> Reply:
        self.calls[call.name] += 1
        if (
            call.form.get("refresh_token") != "refresh-1"
            or call.form.get("client_secret") != "hush"
        ):
            return Reply(400, {**_error("BAD_REFRESH_TOKEN", "missing or invalid refresh token")})
        self._issued += 1
        token = f"access-{self._issued}"
        self.tokens.add(token)
        body = {"access_token": token, "refresh_token": "refresh-1", "expires_in": 1800}
        return Reply(200, {**body, "token_type": "bearer", "hub_id": self.portal.id})


def _error(category: str, message: str) -> dict[str, Any]:
    return {
        "status": "error",
        "message": message,
        "correlationId": "00000000-0000-0000-0000-000000000000",
        "category": category,
    }


def _limited(policy: str, message: str) -> dict[str, Any]:
    return {**_error("RATE_LIMITS", message), "errorType": "RATE_LIMIT", "policyName": policy}


def _missing_scopes(scopes: set[str]) -> dict[str, Any]:
    text = "This app hasn't been granted all required scopes to make this call."
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": sorted(scopes)},
    }
    return {**_error("MISSING_SCOPES", text), "errors": [detail]}


def _server(fake: FakeHubspot) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _serve(self, body: bytes) -> None:
            reply = fake.handle(self._call(body))
            with suppress(BrokenPipeError, ConnectionResetError):
                self._send(reply)

        def _call(self, body: bytes) -> Call:
            address = urlsplit(self.path)
            is_form = "form" in self.headers.get("Content-Type", "")
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return call_of(
                self.command,
                address.path,
                {name: values[0] for name, values in parse_qs(address.query).items()},
                {} if is_form or not body else json.loads(body),
                form if is_form else {},
                self.headers.get("Authorization", "").removeprefix("Bearer "),
            )

        def _send(self, reply: Reply | None) -> None:
            if reply is None:
                self.close_connection = True
                return
            text = b"" if reply.body is None else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json;charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    return Server(("127.0.0.1", 0), Handler)
