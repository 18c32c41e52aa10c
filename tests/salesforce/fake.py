"""Salesforce on loopback: its token endpoint and REST API, with an organization behind them.

Written from Salesforce's public documentation: collections answered in the order of their
records, SOQL in pages, bulk jobs, `Sforce-Limit-Info`, sessions that expire.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import RLock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.salesforce.org import FakeOrg, full_id
from tests.salesforce.routes import Api, Call, Reply, error, name_of

CLIENT_ID, CLIENT_SECRET = "3MVG9.consumer", "an-app-secret"
USERNAME: Final = "sync@org.example"

_WRITES: Final = ("upsert", "update", "delete", "upload")
_LONGEST_ADDRESS: Final = 16_384
_numbers = count(1)


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with calls of a name.

    Args:
        call: which, as `Contact/upsert`; `writes` for every one that writes, empty for every call.
        status: what is answered; None cuts the connection.
        body: of the answer.
        commits: whether the call is carried out first.
        times: how many calls it meets; None: all.
        only: whether it meets a call.
    """

    call: str = ""
    status: int | None = 500
    body: Any = None
    commits: bool = False
    times: int | None = 1
    only: Callable[[Call], bool] = lambda _: True

    def meets(self, call: Call) -> bool:
        """Whether it is this call that goes wrong."""
        writes = call.name.split("/")[-1] in _WRITES
        named = self.call in ("", call.name) or (self.call == "writes" and writes)
        return named and self.times != 0 and call.name != "token" and self.only(call)


class FakeSalesforce:
    """A running fake. Use it as a context manager.

    Attributes:
        org: the organization; tests look into it and change it at any time.
        api: its REST API.
        calls: how often each call came, by name, such as `Contact/upsert`.
        written: records that were sent in calls that write.
        most_calls: calls in 24 hours.
        used_calls: those used up.
        public_key: PEM, of whoever may sign in by JWT.
        requests: every call, in order.
        instance_url: what a sign-in says instead of this server's address.
    """

    def __init__(self) -> None:
        self.org = new_org()
        self.api = Api(self.org)
        self.calls: Counter[str] = Counter()
        self.written = 0
        self.most_calls, self.used_calls = 100_000, 25
        self.public_key = ""
        self.requests: list[Call] = []
        self.instance_url = ""
        self.claims: dict[str, Any] = {}
        self._faults: list[Fault] = []
        self._sessions: set[str] = set()
        self._lock = RLock()
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
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What stands in for My Domain."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, *faults: Fault) -> None:
        """Go wrong from now on, each fault in its turn."""
        self._faults += faults

    def mend(self) -> None:
        """Go wrong no more."""
        self._faults.clear()

    def expire_sessions(self) -> None:
        """Every access token given so far is refused."""
        self._sessions.clear()

    def swap_org(self) -> None:
        """Let the same credentials lead to another, empty organization."""
        self.org = new_org()
        self.api = Api(self.org)
        self.expire_sessions()

    def handle(self, call: Call) -> Reply | None:
        """The answer to a call; None: the connection is cut."""
        with self._lock:
            self.requests.append(call)
            self.calls[call.name] += 1
            if call.name == "token":
                return self._signed_in(call)
            if call.name.split("/")[-1] in _WRITES:
                self.written += call.records
            fault = next((each for each in self._faults if each.meets(call)), None)
            if fault is None:
                return self._answered(call)
            return self._failed(call, fault)

    def _failed(self, call: Call, fault: Fault) -> Reply | None:
        if fault.times is not None:
            fault.times -= 1
        if fault.commits:
            self._answered(call)
        return None if fault.status is None else Reply(fault.status, fault.body)

    def _answered(self, call: Call) -> Reply:
        if call.session not in self._sessions:
            return error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.used_calls >= self.most_calls:
            return error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used_calls += 1
        if call.length > _LONGEST_ADDRESS:
            return error(414, "", "URI Too Long")
        return self.api.answer(call)

    def _signed_in(self, call: Call) -> Reply:
        form = {name: values[0] for name, values in parse_qs(call.content.decode()).items()}
        if not self._is_known(form):
            body = {"error": "invalid_client", "error_description": "invalid client credentials"}
            return Reply(400, body)
        session = f"00D!session{next(_numbers)}"
        self._sessions.add(session)
        identity = f"{self.url}/id/{self.org.id}/{self.org.user_id}"
        return Reply(
            200,
            {
                "access_token": session,
                "instance_url": self.instance_url or self.url,
                "id": identity,
                "token_type": "Bearer",
                "issued_at": "1795000000000",
            },
        )

    def _is_known(self, form: dict[str, str]) -> bool:
        if "assertion" in form:
            audience = "https://login.salesforce.com"
            options = jwt.decode(
                form["assertion"], self.public_key, algorithms=["RS256"], audience=audience
            )
            self.claims = options
            return bool(options["iss"] == CLIENT_ID and options["sub"] == USERNAME)
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


def new_org() -> FakeOrg:
    """An empty organization, unlike any before."""
    return FakeOrg(id=full_id(f"00D5g00{next(_numbers):08d}"))


def _server(fake: FakeSalesforce) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            session = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(
                self.command,
                parts.path,
                query,
                content,
                headers,
                session,
                len(self.path),
                name_of(self.command, parts.path, content),
            )
            reply = fake.handle(call)
            if reply is None:
                self.close_connection = True
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            kind = "text/csv" if isinstance(reply.body, bytes) else "application/json"
            self.send_response(reply.status)
            self.send_header("Content-Type", f"{kind};charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            used = f"api-usage={fake.used_calls}/{fake.most_calls}"
            self.send_header("Sforce-Limit-Info", used)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server
