"""The way to rule the sandbox while it runs: everything under `/_sandbox`, for tests only."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox.api.answers import json_answer, problem_answer
from zimun_sync.sandbox.api.auth import Tokens
from zimun_sync.sandbox.api.observed import Observed
from zimun_sync.sandbox.api.webhooks import Webhooks
from zimun_sync.sandbox.faults.fault import read_fault
from zimun_sync.sandbox.faults.plan import FaultPlan
from zimun_sync.sandbox.world.clock import Clock
from zimun_sync.sandbox.world.problem import ApiProblem, invalid, not_found
from zimun_sync.sandbox.world.stamps import precise_stamp
from zimun_sync.sandbox.world.world import World

PREFIX = "/_sandbox"


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


@dataclass(frozen=True, slots=True)
class Control:
    """What can be ruled and looked at."""

    world: World
    tokens: Tokens
    webhooks: Webhooks
    faults: FaultPlan
    observed: Observed
    clock: Clock

    def routes(self) -> list[Route]:
        """All routes; none needs an access token."""
        return [
            Route(f"{PREFIX}/faults", self._order_faults, methods=["POST"]),
            Route(f"{PREFIX}/faults", self._list_faults, methods=["GET"]),
            Route(f"{PREFIX}/faults", self._clear_faults, methods=["DELETE"]),
            Route(f"{PREFIX}/requests", self._requests, methods=["GET"]),
            Route(f"{PREFIX}/requests", self._forget_requests, methods=["DELETE"]),
            Route(f"{PREFIX}/clock", self._advance, methods=["POST"]),
            Route(f"{PREFIX}/clock", self._clock, methods=["GET"]),
            Route(f"{PREFIX}/tokens", self._revoke, methods=["DELETE"]),
            Route(f"{PREFIX}/appointments/{{key}}", self._put, methods=["PUT"]),
            Route(f"{PREFIX}/appointments/{{key}}", self._remove, methods=["DELETE"]),
            Route(f"{PREFIX}/checksums", self._checksums, methods=["GET"]),
            Route(f"{PREFIX}/mails", self._mails, methods=["GET"]),
            Route(f"{PREFIX}/deliveries", self._deliveries, methods=["GET"]),
        ]

    async def _order_faults(self, request: Request) -> Response:
        try:
            orders = msgspec.json.decode(await request.body())
            faults = [read_fault(order) for order in _listed(orders)]
        except msgspec.DecodeError as error:
            return problem_answer(invalid(f"The body is not JSON: {error}."))
        except ConfigError as error:
            return problem_answer(invalid(f"{error.message} {error.hint}"))
        for fault in faults:
            self.faults.order(fault)
        return await self._list_faults(request)

    async def _list_faults(self, _request: Request) -> Response:
        return json_answer({"items": self.faults.report()})

    async def _clear_faults(self, _request: Request) -> Response:
        self.faults.clear()
        return Response(status_code=204)

    async def _requests(self, _request: Request) -> Response:
        return json_answer(self.observed.report())

    async def _forget_requests(self, _request: Request) -> Response:
        self.observed.reset()
        return Response(status_code=204)

    async def _advance(self, request: Request) -> Response:
        try:
            order = msgspec.json.decode(await request.body(), type=_Advance)
        except msgspec.DecodeError as error:
            return problem_answer(invalid(f"{error}."))
        self.clock.advance(order.seconds)
        return await self._clock(request)

    async def _clock(self, _request: Request) -> Response:
        return json_answer({"now": precise_stamp(self.clock.now())})

    async def _revoke(self, _request: Request) -> Response:
        return json_answer({"revoked": self.tokens.revoke_all()})

    async def _put(self, request: Request) -> Response:
        try:
            self.world.put_appointment(request.path_params["key"], await request.body())
        except ApiProblem as problem:
            return problem_answer(problem)
        return Response(status_code=204)

    async def _remove(self, request: Request) -> Response:
        key = request.path_params["key"]
        if not self.world.remove_appointment(key):
            return problem_answer(not_found(f"appointment {key!r}"))
        return Response(status_code=204)

    async def _checksums(self, _request: Request) -> Response:
        return json_answer(self.world.checksums())

    async def _mails(self, _request: Request) -> Response:
        return json_answer({"items": list(self.world.mails)})

    async def _deliveries(self, _request: Request) -> Response:
        reports = {webhook.id: webhook.courier.report() for webhook in self.webhooks.registered()}
        return json_answer(reports)


def _listed(orders: object) -> list[object]:
    return orders if isinstance(orders, list) else [orders]
