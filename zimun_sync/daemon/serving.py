"""The daemon at work: one engine after the other, and what stays the same beside them."""

from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic
from typing import Final

from zimun_sync.config import Config, secrets_of
from zimun_sync.daemon.asks import Asks
from zimun_sync.daemon.engine import Engine
from zimun_sync.daemon.listeners import Listeners
from zimun_sync.daemon.notify import Notifier
from zimun_sync.daemon.orders import Failed, Order, Orders, Reload, Stop
from zimun_sync.daemon.steps import every
from zimun_sync.daemon.watch import SecretFiles, Watch
from zimun_sync.daemon.workers import Worker, Workers
from zimun_sync.errors import ConfigError, LeaseHeld, NotDrained, StoreError, ZimunSyncError
from zimun_sync.events import ConfigRefused, ConfigReloaded, DaemonStarted, DaemonStopping
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.arriving import Arriving
from zimun_sync.status.metrics import Metrics
from zimun_sync.store import Store
from zimun_sync.web import Endpoints, Intake, WebServer, verifiers_of

_SECRETS_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 15.0
_CLEAN_SECONDS: Final = 6 * 3600.0
_LOOK_SECONDS: Final = 0.5
_AGAIN_SECONDS: Final = 1.0
#: What keeps the daemon's own affairs may take so long at least, after the engine has ended.
_LAST_SECONDS: Final = 2.0


class Serving:
    """Obeys orders until one of them is to end.

    Args:
        store: open, with the daemon's lease held.
        endpoints: of the web server, which listens already.
        listeners: told what happens.
        orders: what to obey.
        notifier: tells the service manager.
    """

    def __init__(
        self,
        store: Store,
        endpoints: Endpoints,
        listeners: Listeners,
        orders: Orders,
        notifier: Notifier,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._listeners = listeners
        self._orders = orders
        self._notifier = notifier
        self._workers = Workers(listeners, self._fail)
        arriving = Arriving(store, self._rules)
        self._intake = Intake(arriving, store.probe, listeners, self._fail)
        self._asks = Asks(store, self._present, self._reload_and_wait, self._fail, listeners)
        self._engine: Engine | None = None
        self._ending = Event()

    def run(
        self,
        config: Config,
        load: Callable[[], Config],
        server: WebServer,
        keepers: Sequence[Worker],
        away_since: int | None,
        takeover_by: float,
    ) -> None:
        """Work until told to end.

        Args:
            config: to begin with.
            load: reads the configuration as it is now.
            server: listens.
            keepers: what keeps the daemon's lease and shows that the process is not stuck.
            away_since: until when a daemon served this state before, microseconds UTC.
            takeover_by: until when (monotonic) to wait for leases of sources and sinks.

        Raises:
            ConfigError: a new sink cannot be used; nothing was pulled.
            LeaseHeld: another process works on a source or a sink.
            StoreError: the state was taken over by another process.
        """
        self._workers.start(*keepers)
        ended: Failed | Stop = Stop("it could not start")
        try:
            self._engage_by(takeover_by, config, away_since)
            self._open_up(config, server)
            ended = self._obey(load)
        except ZimunSyncError as error:
            ended = Failed(error)
            raise
        finally:
            left = self._end(ended, config.server.drain_seconds, server)
        _tell_end(ended, left)

    # -- beginning -----------------------------------------------------------------------

    def _engage_by(self, until: float, config: Config, away_since: int | None) -> None:
        """Set a configuration to work, as soon as what it needs is free."""
        while True:
            try:
                self._engage(config, away_since)
            except LeaseHeld:
                if monotonic() >= until or not self._orders.empty():
                    raise
                self._workers.wait(_AGAIN_SECONDS)
            else:
                return

    def _engage(self, config: Config, away_since: int | None) -> None:
        """Set a configuration to work."""
        engine = Engine(config, self._store, self._listeners, self._fail, self._orders.put)
        engine.start(away_since)
        self._engine = engine
        verifiers = verifiers_of(config.sources)
        self._endpoints.verifiers = lambda: verifiers

    def _open_up(self, config: Config, server: WebServer) -> None:
        """Take webhooks and requests, and let it be seen how things stand."""
        watch = Watch(self._store, self._present, self._listeners)
        metrics = Metrics(watch.status, lambda name: name in self._present().jobs)
        self._listeners.add(metrics)
        files = SecretFiles(lambda: self._present().config.secret_files, self._rotated)
        self._asks.clear()
        self._workers.start(
            Worker("asks", self._asks.step, self._asks.close),
            Worker("watch", every(_WATCH_SECONDS, watch.look)),
            Worker("secrets", every(_SECRETS_SECONDS, files.look)),
            Worker("clean", every(_CLEAN_SECONDS, watch.clean)),
        )
        self._intake.start()
        self._endpoints.intake = self._intake
        self._endpoints.status = lambda: watch.status().to_json()
        self._endpoints.metrics = metrics.render
        at = (server.address, server.admin_address)
        self._listeners(DaemonStarted(*at, len(config.sources), len(config.sinks)))
        self._notifier.ready(f"serving at {server.address}")

    # -- orders --------------------------------------------------------------------------

    def _obey(self, load: Callable[[], Config]) -> Failed | Stop:
        while True:
            order: Order = self._orders.get()
            if not isinstance(order, Reload):
                return order
            self._reload(order, load)

    def _reload(self, order: Reload, load: Callable[[], Config]) -> None:
        """Put a changed configuration into effect, or keep the former one and say why."""
        self._notifier.reloading()
        try:
            self._try_reload(order, load)
        except ZimunSyncError as error:
            order.refused = error
            file = str(self._present().config.file)
            self._listeners(ConfigRefused(file, error.message, error.hint))
            if self._present().is_stopping():
                raise  # neither configuration is at work: only a restart begins anew
        except BaseException:
            order.refused = StoreError("The daemon failed; its log tells how.")
            raise
        finally:
            order.done.set()
            self._notifier.ready()

    def _try_reload(self, order: Reload, load: Callable[[], Config]) -> None:
        before, config = self._present().config, load()
        if order.only_secrets and secrets_of(config) == secrets_of(before):
            return
        _refuse_what_needs_a_restart(before, config)
        verifiers_of(config.sources)
        self._disengage(before.server.drain_seconds)
        try:
            self._engage(config, None)
        except ZimunSyncError:
            self._engage(before, None)
            raise
        self._listeners(ConfigReloaded(str(config.file)))

    def _disengage(self, seconds: float) -> None:
        engine = self._present()
        engine.ask_to_stop()
        left = engine.join(monotonic() + seconds)
        if left:
            self._orders.put(Stop("what was under way before a reload does not end"))
            raise StoreError(f"The former configuration is still at work: {', '.join(left)}.")

    def _reload_and_wait(self) -> None:
        """Ask for a reload, from another thread.

        Raises:
            ZimunSyncError: the configuration was not put into effect.
        """
        order = Reload()
        self._orders.put(order)
        while not order.done.wait(_LOOK_SECONDS):
            if self._ending.is_set():
                raise StoreError("The daemon is ending.")
        if order.refused is not None:
            raise order.refused

    def _rotated(self) -> None:
        self._orders.put(Reload(only_secrets=True))

    # -- end -----------------------------------------------------------------------------

    def _end(self, why: Failed | Stop, seconds: float, server: WebServer) -> list[str]:
        """Bring everything to its end; names of what did not end in time."""
        deadline = monotonic() + seconds
        reason = why.reason if isinstance(why, Stop) else "something failed"
        self._listeners(DaemonStopping(reason, seconds))
        self._notifier.stopping(reason)
        self._ending.set()
        if self._engine is not None:
            self._engine.ask_to_stop()
        server.stop(deadline)
        self._endpoints.intake = self._endpoints.status = self._endpoints.metrics = None
        left = [] if self._intake.stop(deadline) else ["intake"]
        if self._engine is not None:
            left += self._engine.join(deadline)
        self._workers.ask_to_stop()
        return left + self._workers.join(max(deadline, monotonic() + _LAST_SECONDS))

    def _rules(self, source: str) -> Rules:
        """What the configuration says of a source's fields; nothing of one it does not name."""
        job = self._present().jobs.get(source)
        return job.rules if job is not None else Rules({}, {})

    def _present(self) -> Engine:
        if self._engine is None:
            raise StoreError("The daemon is starting.")
        return self._engine

    def _fail(self, error: BaseException) -> None:
        self._orders.put(Failed(error))


def _refuse_what_needs_a_restart(before: Config, after: Config) -> None:
    for name in ("state", "server"):
        if getattr(before, name) != getattr(after, name):
            raise ConfigError(
                f"{name} cannot be changed while the daemon runs.",
                hint="Restart the daemon to put it into effect.",
            )


def _tell_end(why: Failed | Stop, left: list[str]) -> None:
    if isinstance(why, Failed):
        raise why.error
    if left:
        raise NotDrained(
            f"Not everything came to its end in time: {', '.join(left)}.",
            hint="Nothing is lost, the next start goes on. `server.drain_seconds` gives more time.",
        )
