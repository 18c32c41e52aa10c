"""A process's life, and its end."""

from dataclasses import dataclass

from tests.simulation.disk import SimDatabase
from tests.simulation.process import Process


class Killed(BaseException):
    """The process is gone; nothing of it may go on, nor clean up after itself."""


@dataclass(slots=True)
class Life:
    """A process, from its birth to its end.

    Args:
        number: the first is 1.
        dead: whether it was killed: whatever it still tries ends at once.
        fenced: whether another process has taken over.
    """

    number: int
    dead: bool = False
    fenced: bool = False
    process: Process | None = None
    database: SimDatabase | None = None
