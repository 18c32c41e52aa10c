"""A thread beside a measurement."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Work for the length of the block; it is told by the event that the block is over."""
    over = threading.Event()
    worker = threading.Thread(target=work, args=(over,))
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
