"""Puts the sandbox's parts together as one ASGI application."""

from dataclasses import dataclass
from hashlib import sha256

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from zimun_sync.sandbox.api.answers import problem_answer
from zimun_sync.sandbox.api.auth import ClientSettings, Tokens
from zimun_sync.sandbox.api.control import Control
from zimun_sync.sandbox.api.delivery import Courier
from zimun_sync.sandbox.api.gate import Gate
from zimun_sync.sandbox.api.idempotency import Replays
from zimun_sync.sandbox.api.observed import Observed
from zimun_sync.sandbox.api.paging import Limits, Pages
from zimun_sync.sandbox.api.routes import Api
from zimun_sync.sandbox.api.webhooks import Webhooks
from zimun_sync.sandbox.faults.havoc import Havoc
from zimun_sync.sandbox.faults.plan import FaultPlan
from zimun_sync.sandbox.options import SandboxOptions
from zimun_sync.sandbox.world.clock import Clock
from zimun_sync.sandbox.world.problem import ApiProblem
from zimun_sync.sandbox.world.world import World, WorldOptions


@dataclass(frozen=True, slots=True)
class Parts:
    """A sandbox without its server.

    Args:
        app: the ASGI application; it runs behind `zimun_sync.sandbox.faults.wire.ExposedProtocol`.
        world: the business.
        clock: the sandbox's time.
        faults: what goes wrong.
        observed: what was asked.
        webhooks: who is told of changes.
    """

    app: Starlette
    world: World
    clock: Clock
    faults: FaultPlan
    observed: Observed
    webhooks: Webhooks


def build(options: SandboxOptions) -> Parts:
    """A sandbox as `options` say.

    Raises:
        ConfigError: the data file cannot be served.
    """
    clock, faults, observed = Clock(), FaultPlan(), Observed()
    world = World(_world_options(options), clock.now)
    for fault in options.faults:
        faults.order(fault)
    tokens = Tokens(_client(options), clock.now)
    pages = _pages(options, world, clock)
    webhooks = Webhooks(
        lambda url, key: Courier(url, key, clock.now, options.webhook_retry_seconds), clock.now
    )
    world.subscribe(webhooks.tell)
    gate = Gate(
        tokens=tokens,
        pages=pages,
        faults=faults,
        havoc=Havoc(tokens, pages, clock, observed),
        observed=observed,
        replays=Replays(clock.now),
        clock=clock,
        latency=options.latency_ms / 1000,
    )
    api = Api(world, tokens, webhooks, gate)
    control = Control(world, tokens, webhooks, faults, observed, clock)
    app = Starlette(
        routes=[*api.routes(), *control.routes()], exception_handlers={HTTPException: _no_route}
    )
    return Parts(app, world, clock, faults, observed, webhooks)


def _world_options(options: SandboxOptions) -> WorldOptions:
    return WorldOptions(options.appointments, options.seed, options.today, options.data)


def _client(options: SandboxOptions) -> ClientSettings:
    return ClientSettings(
        options.client_id, options.client_secret, tuple(options.scopes), options.token_ttl
    )


def _pages(options: SandboxOptions, world: World, clock: Clock) -> Pages:
    limits = Limits(options.page_size, options.page_size_max, options.page_token_ttl)
    key = sha256(f"sandbox page tokens {options.seed}".encode()).digest()
    return Pages(world.collections, limits, clock.now, key)


async def _no_route(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "Something went wrong."
    return problem_answer(ApiProblem(status, f"http-{status}", f"{detail}."))
