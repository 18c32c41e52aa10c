"""Writing a batch to a sink that may fail in ways its contract does not know."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from zimun_sync.errors import SinkError, StoreError
from zimun_sync.sinks import Batch, Rejection, Sink, WriteResult


class ConnectorBug(Exception):
    """A connector raised something unexpected, or its counts do not add up.

    Args:
        error: the exception's type, or what is wrong with the result; never its text, which
            may hold personal data.
        where: file and line it came from.
    """

    def __init__(self, error: str, where: str) -> None:
        super().__init__(f"{error} at {where}")
        self.error = error
        self.where = where


def write(sink: Sink, batch: Batch) -> WriteResult:
    """Write a batch and check that nothing was dropped quietly.

    Raises:
        SinkUnavailable: the same batch again later.
        SinkBroken: a person has to act.
        SinkHeld: a person has to agree first.
        ConnectorBug: anything else.
    """
    try:
        return _checked(sink.write(batch), batch)
    except (SinkError, StoreError, ConnectorBug):
        raise
    except Exception as error:
        raise as_bug(error) from error


def as_bug(error: Exception) -> ConnectorBug:
    """What may be told of an unexpected exception: its type and its place."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return ConnectorBug(type(error).__name__, f"{last.filename}:{last.lineno}")


def _checked(result: object, batch: Batch) -> WriteResult:
    if not isinstance(result, WriteResult):
        raise ConnectorBug(f"{type(result).__name__} in place of a WriteResult", "Sink.write")
    accounted = result.applied + result.unchanged + len(result.rejected) + result.skipped
    foreign = {rejection.key for rejection in result.rejected}
    if foreign:
        foreign -= {head.key for head in batch.heads}
    if accounted != len(batch) or foreign:
        raise ConnectorBug(
            f"WriteResult accounts for {accounted} of {len(batch)} changes"
            f" and {len(foreign)} foreign keys",
            "Sink.write",
        )
    return result


@dataclass(slots=True)
class Isolated:
    """Writes a batch in ever smaller parts, until the rows that break the sink stand alone.

    Args:
        sink: open again after each failure, which may have left it in any state.
        reopen: closes and opens the sink.
    """

    sink: Sink
    reopen: Callable[[], None]

    def write(self, batch: Batch) -> WriteResult:
        """The result of all parts; rows that fail alone are rejections.

        Raises:
            SinkUnavailable: the same batch again later.
            SinkBroken: a person has to act.
            SinkHeld: a person has to agree first.
        """
        try:
            return write(self.sink, batch)
        except ConnectorBug as bug:
            self.reopen()
            if len(batch) == 1:
                rejection = Rejection(batch.heads[0].key, "connector-error", str(bug))
                return WriteResult(0, 0, (rejection,))
        middle = len(batch) // 2
        first = self.write(replace(batch, stored=batch.stored[:middle], more=True))
        second = self.write(replace(batch, stored=batch.stored[middle:]))
        return WriteResult(
            first.applied + second.applied,
            first.unchanged + second.unchanged,
            first.rejected + second.rejected,
            first.skipped + second.skipped,
        )
