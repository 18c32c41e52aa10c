"""Runs a sandbox: in a thread for tests, or in the foreground."""

import signal
import socket
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

import uvicorn

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox.api.app import build
from zimun_sync.sandbox.api.control import PREFIX as CONTROL_PREFIX
from zimun_sync.sandbox.api.routes import PREFIX
from zimun_sync.sandbox.faults.wire import ExposedProtocol
from zimun_sync.sandbox.options import SandboxOptions
from zimun_sync.sandbox.world.catalog import ORGANIZATION_ID


class Sandbox:
    """A running stand-in for the Zimun API.

    Use it as a context manager; it listens from the first line of the block to the last:

        with Sandbox(SandboxOptions(appointments=100)) as sandbox:
            httpx.post(sandbox.token_url, auth=(sandbox.client_id, sandbox.client_secret), ...)

    Args:
        options: how it is set up.

    Raises:
        ConfigError: the data file cannot be served, or the address is not to be had.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self._socket = _listen(self.options.host, self.options.port)
        try:
            self._parts = build(self.options)
        except BaseException:
            self._socket.close()
            raise
        self.world = self._parts.world
        self.clock = self._parts.clock
        self.faults = self._parts.faults
        self.observed = self._parts.observed
        self._server = uvicorn.Server(_config(self._parts.app))
        self._thread = Thread(
            target=self._server.run, args=([self._socket],), name="sandbox", daemon=True
        )

    @property
    def root_url(self) -> str:
        """Scheme, host and port."""
        host, port = self._socket_name
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What stands in for `https://api.zimun.online/api/v1`."""
        return self.root_url + PREFIX

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.root_url}/oauth/token"

    @property
    def control_url(self) -> str:
        """Where the sandbox is ruled."""
        return self.root_url + CONTROL_PREFIX

    @property
    def client_id(self) -> str:
        """The API client's id."""
        return self.options.client_id

    @property
    def client_secret(self) -> str:
        """The API client's secret."""
        return self.options.client_secret

    @property
    def organization_id(self) -> str:
        """The one organization."""
        return ORGANIZATION_ID

    @property
    def service_id(self) -> str:
        """A service that can be booked."""
        return next(iter(self.world.catalog.services))

    def __enter__(self) -> Self:
        self._socket_name: tuple[str, int] = self._socket.getsockname()[:2]
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._parts.webhooks.close()


def serve(options: SandboxOptions, announce: Callable[[Sandbox], None]) -> None:
    """Runs a sandbox until SIGINT or SIGTERM.

    Args:
        options: how it is set up.
        announce: is called once it listens.

    Raises:
        ConfigError: as `Sandbox` does.
    """
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda *_: stop.set())
        with Sandbox(options) as sandbox:
            announce(sandbox)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP so that asyncio turns Nagle's algorithm off, which would cost 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"The sandbox cannot listen on {host} port {port}: {error.strerror}.",
            hint="Choose another port, or 0 for any that is free.",
        ) from error
    return listener


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="asyncio",
        http=ExposedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
