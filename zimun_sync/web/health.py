"""`/livez`, `/readyz`, `/metrics` and `/status`: for orchestrators, Prometheus and people."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zimun_sync.errors import StoreError
from zimun_sync.status.metrics import CONTENT_TYPE
from zimun_sync.web.endpoints import Endpoints

_Made = TypeVar("_Made")

_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE


class Health:
    """Answers to who asks how the daemon is.

    Args:
        endpoints: what tells.
        threads: where what may block is run.
    """

    def __init__(self, endpoints: Endpoints, threads: Executor) -> None:
        self._endpoints = endpoints
        self._threads = threads

    def app(self, *, details: bool) -> Starlette:
        """An application: `/livez` and `/readyz`, and with `details` the others too."""
        routes = [Route("/livez", self._livez), Route("/readyz", self._readyz)]
        if details:
            routes += [Route("/metrics", self._metrics), Route("/status", self._status)]
        app = Starlette(
            routes=routes,
            exception_handlers={HTTPException: _told_as_json, StoreError: _told_unreadable},
        )
        app.router.redirect_slashes = False
        return app

    async def _livez(self, _request: Request) -> Response:
        """200 unless the process is stuck; needs neither the state nor a free thread."""
        if self._endpoints.alive():
            return JSONResponse({"status": "alive"})
        return JSONResponse({"status": "stuck"}, _UNAVAILABLE)

    async def _readyz(self, _request: Request) -> Response:
        """200 when events can be stored; asks nothing of Zimun or the sinks."""
        intake = self._endpoints.intake
        if intake is None:
            return JSONResponse({"status": "starting"}, _UNAVAILABLE)
        if await self._in_thread(intake.is_writable):
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "inbox-not-writable"}, _UNAVAILABLE)

    async def _metrics(self, _request: Request) -> Response:
        metrics = self._endpoints.metrics
        if metrics is None:
            return JSONResponse({"status": "starting"}, _UNAVAILABLE)
        content = await self._in_thread(metrics)
        return Response(content, headers={"content-type": CONTENT_TYPE})

    async def _status(self, _request: Request) -> Response:
        status = self._endpoints.status
        if status is None:
            return JSONResponse({"status": "starting"}, _UNAVAILABLE)
        return JSONResponse(await self._in_thread(status))

    async def _in_thread(self, work: Callable[[], _Made]) -> _Made:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _told_as_json(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    phrase = HTTPStatus(error.status_code).phrase
    content = {"error": phrase.lower().replace(" ", "-"), "message": f"{phrase}."}
    return JSONResponse(content, error.status_code, error.headers)


def _told_unreadable(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "unavailable", "message": str(error)}, _UNAVAILABLE)
