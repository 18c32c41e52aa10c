"""The Zimun API in memory, behind the real client: listings, records by id, tokens, faults."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from random import Random
from typing import Any, Final
from urllib.parse import unquote

import httpx
import msgspec

from tests.simulation.budget import Budget
from tests.simulation.clock import SimClock
from tests.simulation.listing import Cursor, appointments, cut
from tests.simulation.profile import Profile
from tests.simulation.source import Source

BASE: Final = "https://api.example.com/api/v1"
_PREFIX: Final = "/api/v1/"


@dataclass(slots=True)
class Api:
    """Answers requests, whichever process they come from.

    Args:
        source: the truth.
        clock: the server's is the one that counts.
        chance: which requests fail, and how.
        profile: how often.
        violated: told of what must not happen.

    Attributes:
        quiet: whether nothing fails any more.
        down: whether nothing is answered at all.
        budget: what listings cost.
        requests: how many were answered.
    """

    source: Source
    clock: SimClock
    chance: Random
    profile: Profile
    violated: Callable[[str], None]
    quiet: bool = False
    down: bool = False
    budget: Budget = field(default_factory=Budget)
    requests: int = 0
    _cursors: dict[str, Cursor] = field(default_factory=dict)
    _access: set[str] = field(default_factory=set)
    _tokens: int = 0
    _hidden: str = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request; raises what httpx would where none comes."""
        self.clock.pass_by(self.chance.uniform(0.005, 0.4))
        if self.down:
            raise httpx.ConnectError("no route")
        if request.url.path == "/oauth/token":
            return self._sign_in()
        if request.headers.get("authorization", "")[7:] not in self._access:
            return self._reply(401, {"error": "invalid_token"})
        fault = self._fault()
        if fault is not None:
            return fault
        self.requests += 1
        return self._route(request)

    def _sign_in(self) -> httpx.Response:
        self._tokens += 1
        token = f"access-{self._tokens}"
        self._access.add(token)
        return self._reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 900})

    def _fault(self) -> httpx.Response | None:
        if self.quiet or self.chance.random() >= self.profile.http:
            return None
        match self.chance.randrange(6):
            case 0:
                return self._reply(429, {}, {"Retry-After": "3"})
            case 1:
                return self._reply(503, {})
            case 2:
                self._access.clear()
                return self._reply(401, {"error": "invalid_token"})
            case 3:
                return self._reply(200, b'{"items": [{"appointment_id": "a_')
            case 4:
                raise httpx.ReadError("the connection broke")
            case _:
                self.down = True
                raise httpx.ConnectError("no route")

    def _route(self, request: httpx.Request) -> httpx.Response:
        name, _, key = request.url.path.removeprefix(_PREFIX).partition("/")
        if name == "organization":
            return self._reply(200, {"organization_id": "o_1", "timezone": "Europe/Berlin"})
        if key:
            found = self.source.appointments.get(unquote(key))
            return self._reply(404, {}) if found is None else self._reply(200, found)
        return self._list(name, dict(request.url.params))

    def _list(self, stream: str, params: dict[str, str]) -> httpx.Response:
        token = params.pop("page_token", None)
        cursor = Cursor(stream, None, 0, self.clock.true, frozenset(params.items()))
        if token is not None:
            cursor = self._cursors[token]
            assert (cursor.stream, cursor.params) == (stream, frozenset(params.items()))
            if not self.quiet and self.clock.true - cursor.made_at > self.profile.page_token_life:
                self.budget.forget()
                return self._reply(self.chance.choice((400, 410)), {"error": "invalid_page_token"})
        listing = stream, "updated_since" in params
        excess = self.budget.excess(listing, cursor.depth, self.clock.true)
        if excess:
            self.violated(f"{excess} pages of {stream} too many are fetched again after a kill")
        records, place = self._cut(cursor, params)
        if place is not None:
            token = f"t{len(self._cursors)}"
            made = cursor._replace(place=place, depth=cursor.depth + 1, made_at=self.clock.true)
            self._cursors[token] = made
        self.budget.served(listing, cursor.depth, complete=place is None)
        return self._reply(
            200, {"items": records, "next_page_token": None if place is None else token}
        )

    def _cut(self, cursor: Cursor, params: dict[str, str]) -> tuple[list[Any], Any]:
        if cursor.stream == "locations":
            zones = self.source.zones.items()
            return [{"location_id": key, "timezone": zone} for key, zone in zones], None
        if cursor.stream == "staff":
            staff = self.source.staff.items()
            return [{"staff_id": key, "name": name} for key, name in staff], None
        behind = 0 if self.quiet else self.chance.randint(0, self.profile.lag)
        shown = appointments(self.source, params.get("updated_since"), behind)
        if cursor.depth == 0:
            self._hidden = self._overlooked()
        shown.pop(self._hidden, None)
        return cut(self.source, shown, self.profile.order, cursor.place, self.profile.page_size)

    def _overlooked(self) -> str:
        """Where listings lag behind, some of them leave a record out altogether."""
        if self.quiet or not self.profile.lag or self.chance.random() < 0.7:
            return ""
        return self.chance.choice(sorted(self.source.appointments))

    def _reply(
        self, status: int, body: Any, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        date = format_datetime(self.clock.server_now().replace(microsecond=0), usegmt=True)
        return httpx.Response(status, headers={"Date": date} | (headers or {}), content=content)


@dataclass
class Wire(httpx.BaseTransport):
    """One process's way to the API.

    Args:
        api: answers.
        at: told of the moment before and after each exchange.
    """

    api: Api
    at: Callable[[str, bool], None]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange a request for an answer."""
        # Whoever waits for a sign-in waits for this thread: nothing else may go on meanwhile.
        nests = request.url.path != "/oauth/token"
        self.at(f"{request.method} {request.url.path} is sent", nests)
        response = self.api.answer(request)
        self.at(f"{request.method} {request.url.path} was answered", nests)
        return response
