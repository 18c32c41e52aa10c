"""Who is told what happens in the daemon; more may come to listen while it runs."""

from threading import Lock

from zimun_sync.events import Event, Listener


class Listeners:
    """Tells every event to every listener, in the order in which they came.

    Args:
        listeners: those who listen from the start.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._lock = Lock()
        self._listeners = tuple(listeners)

    def add(self, listener: Listener) -> None:
        """Let someone else listen too."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tell someone nothing more."""
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each != listener)

    def __call__(self, event: Event, /) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener(event)
