"""The web server: one event loop in one thread, on one port or two."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from time import monotonic
from typing import Final

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from zimun_sync.config.serving import ServerSettings
from zimun_sync.web.endpoints import Endpoints
from zimun_sync.web.health import Health
from zimun_sync.web.listening import address, listen
from zimun_sync.web.protocol import BoundedProtocol
from zimun_sync.web.webhooks import PREFIX, Webhooks

#: Longer than a reverse proxy keeps its connections, so that it closes them first; seconds.
_KEEP_ALIVE_SECONDS: Final = 75
#: Each may hold a body in memory, and the state and the sinks need file descriptors too.
_CONNECTIONS: Final = 512
#: Threads for what may block, such as a status that waits for the database.
_THREADS: Final = 8
#: What uvicorn takes to close its connections, at most, seconds.
_CLOSING_SECONDS: Final = 1.0


class WebServer:
    """Listens from `start` to `stop`; made once, started once, stopped once.

    Args:
        settings: where it listens.
        endpoints: what it answers with.
        failed: told what ended the server, which should never end by itself.

    Attributes:
        address: where webhooks are taken, as a URL; empty until it listens.
        admin_address: the same of the second port; empty without one.
    """

    def __init__(
        self,
        settings: ServerSettings,
        endpoints: Endpoints,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.address = self.admin_address = ""
        self._settings = settings
        self._failed = failed
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web-answer")
        self._servers = [_Server(app) for app in self._apps(endpoints)]
        self._sockets: list[socket.socket] = []
        self._thread = Thread(target=self._guard, name="web", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: an address is taken or not allowed; nothing was started.
        """
        self._listen()
        self.address = address(self._sockets[0])
        self.admin_address = "".join(address(each) for each in self._sockets[1:])
        self._thread.start()
        for server in self._servers:
            server.is_up.wait()

    def stop(self, deadline: float) -> bool:
        """Take no more requests and answer those under way; tells whether it has ended.

        Args:
            deadline: on the monotonic clock, seconds; what is not done then is answered 503.
        """
        for server in self._servers:
            server.end_by(deadline)
        self._thread.join(max(deadline - monotonic(), 0) + _CLOSING_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not self._thread.is_alive()

    def _apps(self, endpoints: Endpoints) -> list[ASGIApp]:
        """An application for each port."""
        health, has_admin = Health(endpoints, self._threads), self._settings.admin_port is not None
        webhooks = Webhooks(endpoints, self._settings.max_body_bytes)
        public = _public(webhooks, health.app(details=not has_admin))
        return [public, health.app(details=True)] if has_admin else [public]

    def _listen(self) -> None:
        settings = self._settings
        self._sockets.append(listen(settings.host, settings.port))
        if settings.admin_port is None:
            return
        try:
            self._sockets.append(listen(settings.admin_host, settings.admin_port, "admin_"))
        except BaseException:
            self._sockets.pop().close()
            raise

    def _guard(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever runs the server
            self._failed(error)
        finally:
            for each in self._sockets:
                each.close()
            for server in self._servers:
                server.is_up.set()

    async def _serve(self) -> None:
        pairs = zip(self._servers, self._sockets, strict=True)
        await asyncio.gather(*(server.serve([each]) for server, each in pairs))


def _public(webhooks: ASGIApp, others: ASGIApp) -> ASGIApp:
    """What the first port answers with; webhooks spare themselves the routing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = webhooks if scope["raw_path"].startswith(PREFIX) else others
        await chosen(scope, receive, send)

    return app


class _Server(uvicorn.Server):
    """uvicorn as a part of a program: it says when it is up, and ends by a deadline.

    It handles no signals, for it is not run in the main thread, and logs nothing but bugs.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                limit_concurrency=_CONNECTIONS,
            )
        )
        self.is_up = Event()
        self._deadline = 0.0

    def end_by(self, deadline: float) -> None:
        """End, at the latest when the monotonic clock shows `deadline`."""
        self._deadline = deadline
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, while there is time."""
        left = max(self._deadline - monotonic(), 0)
        self.config.timeout_graceful_shutdown = left  # type: ignore[assignment] # fractions do
        await super().shutdown(sockets)
        await asyncio.sleep(0)  # what was cancelled just now is answered too
