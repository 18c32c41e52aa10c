"""The way of every request: count, go wrong as ordered, check the token, answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from zimun_sync.sandbox.api.answers import encoded, problem_answer
from zimun_sync.sandbox.api.auth import Tokens
from zimun_sync.sandbox.api.calls import Call
from zimun_sync.sandbox.api.idempotency import Replays
from zimun_sync.sandbox.api.observed import Observed
from zimun_sync.sandbox.api.paging import Pages
from zimun_sync.sandbox.faults.fault import Phase
from zimun_sync.sandbox.faults.havoc import Havoc
from zimun_sync.sandbox.faults.plan import FaultPlan
from zimun_sync.sandbox.world.clock import Clock
from zimun_sync.sandbox.world.problem import ApiProblem

Handler = Callable[[Call], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

#: The greatest request body, bytes.
_MAX_BODY = 2**20


@dataclass(frozen=True, slots=True)
class Gate:
    """Makes endpoints of handlers.

    Handlers do not wait for anything, so each request is handled whole before the next one:
    that is what keeps bookings free of conflicts.

    Args:
        tokens: who may come in.
        pages: the lists.
        faults: what is ordered to go wrong.
        havoc: how it goes wrong.
        observed: counts it all.
        replays: answers repeated calls.
        clock: dates the answers.
        latency: seconds that a page of a list takes.
    """

    tokens: Tokens
    pages: Pages
    faults: FaultPlan
    havoc: Havoc
    observed: Observed
    replays: Replays
    clock: Clock
    latency: float

    def open(self, target: str, handle: Handler) -> Endpoint:
        """An endpoint that needs no access token.

        Args:
            target: what faults and counters call its requests.
            handle: answers a request.
        """

        async def endpoint(request: Request) -> Response:
            try:
                body = await _body(request)
            except ApiProblem as problem:
                return problem_answer(problem)
            return self._answer(Call(request, target, body), handle)

        return endpoint

    def guarded(self, target: str, handle: Handler, scope: str) -> Endpoint:
        """An endpoint that needs an access token with a scope."""

        def checked(call: Call) -> Response:
            self.tokens.check(call.authorization, scope)
            return self.replays.answer(call, lambda call: _attempt(call, handle))

        return self.open(target, checked)

    def listing(self, stream: str, scope: str) -> Endpoint:
        """An endpoint that lists a stream."""

        def page(call: Call) -> Response:
            self.tokens.check(call.authorization, scope)
            return self._page(call)

        async def endpoint(request: Request) -> Response:
            call = Call(request, stream, b"")
            with suppress(ApiProblem):  # a bad page token is refused once the access token is good
                call.cursor = self.pages.read(stream, request.query_params)
            if self.latency:
                await asyncio.sleep(self.latency)
            return self._answer(call, page)

        return endpoint

    def _page(self, call: Call) -> Response:
        cursor = call.cursor or self.pages.read(call.target, call.request.query_params)
        page = self.pages.page(cursor)
        for fault in call.faults_of(Phase.PAGE):
            page = self.havoc.page(fault, page)
        if not call.faults_of(Phase.WIRE):
            self.observed.page(page.cursor)
        return encoded(page.encode())

    def _answer(self, call: Call, handle: Handler) -> Response:
        self.observed.request(call.target, self.clock.now().timestamp())
        call.faults = self.faults.strike(call)
        response = _attempt(call, lambda call: self._with_faults(call, handle))
        self.observed.answer(response.status_code)
        response.headers["date"] = self.clock.http_date()
        return response

    def _with_faults(self, call: Call, handle: Handler) -> Response:
        for fault in call.faults_of(Phase.INSTEAD):
            answer = self.havoc.instead(fault, call)
            if answer is not None:
                return answer
        response = handle(call)
        for fault in call.faults_of(Phase.WIRE):
            response = self.havoc.wire(fault, call, response)
        return response


def _attempt(call: Call, handle: Handler) -> Response:
    try:
        return handle(call)
    except ApiProblem as problem:
        return problem_answer(problem)


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY:
            raise ApiProblem(413, "too-large", f"A body may have {_MAX_BODY} bytes at most.")
    return body
