"""The daemon from start to end: read this first.

The web server listens before anything else, so that `/livez` answers while the state is
migrated. Then the state is opened and the daemon's lease taken, so that there is only one. The
rest is `Serving`: it obeys until it is told to end.
"""

from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Final

from zimun_sync.config import Config
from zimun_sync.daemon.listeners import Listeners
from zimun_sync.daemon.notify import Notifier
from zimun_sync.daemon.orders import Failed, Orders, signals
from zimun_sync.daemon.serving import Serving
from zimun_sync.daemon.steps import every, keep
from zimun_sync.daemon.watch import Heart
from zimun_sync.daemon.workers import Worker, Workers
from zimun_sync.errors import ConfigError, LeaseHeld
from zimun_sync.pipeline.keeper import Leases
from zimun_sync.status import DAEMON_LEASE
from zimun_sync.store import Store
from zimun_sync.web import Endpoints, WebServer, verifiers_of

_AGAIN_SECONDS: Final = 1.0
_HEART_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 1.0


class Daemon:
    """One process that works on one state until it is told to end.

    Args:
        config: to begin with.
        load: reads the configuration as it is now.
        listeners: told what happens; more may join.
        log_as: makes the log keep a configuration's secrets, before it is in effect.
        wait: seconds to wait for another process's lease to run out.
        notifier: tells the service manager.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        listeners: Listeners,
        log_as: Callable[[Config], None],
        *,
        wait: float = 0.0,
        notifier: Notifier | None = None,
    ) -> None:
        self._config = config
        self._load = load
        self._listeners = listeners
        self._log_as = log_as
        self._wait = wait
        self._notifier = notifier or Notifier()
        self._orders = Orders()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; everything is given back on return.

        Raises:
            ConfigError: the address cannot be listened on, or a new sink cannot be used.
            LeaseHeld: another process serves this state.
            StoreError: the state cannot be opened, or was taken over by another process.
        """
        config, heart = self._config, Heart()
        verifiers = verifiers_of(config.sources)
        endpoints = Endpoints(lambda: verifiers, self._listeners, heart.is_alive)
        server = WebServer(config.server, endpoints, self._fail)
        takeover_by = monotonic() + self._wait
        with ExitStack() as stack:
            stack.enter_context(signals(self._orders))
            _listen(server, config)
            stack.callback(lambda: server.stop(monotonic() + _CLOSE_SECONDS))
            heart_workers = Workers(self._listeners, self._fail)
            heart_workers.start(Worker("heart", every(_HEART_SECONDS, lambda: self._beat(heart))))
            stack.callback(heart_workers.ask_to_stop)
            store = stack.enter_context(Store.open(config.state, config.folder))
            away_since = store.leases.last_held(DAEMON_LEASE)
            lease = Leases(store, [DAEMON_LEASE])
            self._take_over(lease, takeover_by)
            serving = Serving(store, endpoints, self._listeners, self._orders, self._notifier)
            keeper = Worker("daemon", keep(lease), lease.release)
            serving.run(config, self._load_quietly, server, [keeper], away_since, takeover_by)

    def _load_quietly(self) -> Config:
        """The configuration as it is now, its secrets known to the log."""
        config = self._load()
        self._log_as(config)
        return config

    def _beat(self, heart: Heart) -> None:
        heart.beat()
        self._notifier.alive()

    def _fail(self, error: BaseException) -> None:
        self._orders.put(Failed(error))

    def _take_over(self, lease: Leases, until: float) -> None:
        while True:
            try:
                lease.acquire()
            except LeaseHeld as held:
                if monotonic() >= until or not self._orders.empty():
                    raise _second(held) from held
                sleep(_AGAIN_SECONDS)
            else:
                return


def _listen(server: WebServer, config: Config) -> None:
    """Start the server; who finds the port taken by another daemon is told of that one."""
    try:
        server.start()
    except ConfigError as taken:
        with Store.open(config.state, config.folder) as store:
            lease = Leases(store, [DAEMON_LEASE])
            try:
                lease.acquire()
            except LeaseHeld as held:
                raise _second(held) from taken
            lease.release()
        raise


def _second(held: LeaseHeld) -> LeaseHeld:
    return LeaseHeld(
        f"This state is served already: {held.message}",
        hint="Only one daemon may work on a state. Stop the other one first. `serve --wait 120` "
        "takes over from one that was killed on another host.",
    )
