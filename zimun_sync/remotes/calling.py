"""Calls of a remote in portions that it takes, and in halves where it refuses a whole one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol, TypeVar

from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.contract import (
    BatchRefused,
    By,
    Found,
    Kind,
    NotSent,
    Outcome,
    Refused,
    Remote,
)

Thing = TypeVar("Thing")


class Keyed(Protocol):
    """Something to write that has one of our keys."""

    @property
    def key(self) -> str:
        """Our key."""
        ...


Written = TypeVar("Written", bound=Keyed)


def portions(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    """The things, so many at a time."""
    for start in range(0, len(things), size):
        yield things[start : start + size]


def find(
    remote: Remote, kind: Kind, by: By, values: Collection[str], fields: Sequence[str]
) -> dict[str, Sequence[Found]]:
    """Every object with one of these values, by value; see `Remote.find`."""
    found: dict[str, Sequence[Found]] = {}
    for some in portions(sorted(values), remote.abilities.batch):
        found.update(remote.find(kind, by, some, fields))
    return {value: each for value, each in found.items() if each}


def read(
    remote: Remote, kind: Kind, ids: Collection[str], fields: Sequence[str]
) -> dict[str, Found]:
    """Objects by the id they were asked for by; see `Remote.read`."""
    found: dict[str, Found] = {}
    for some in portions(sorted(ids), remote.abilities.batch):
        found.update(remote.read(kind, some, fields))
    return found


def halving(
    call: Callable[[Sequence[Written]], Sequence[Outcome]], things: Sequence[Written]
) -> dict[str, Outcome]:
    """The outcome of each thing, by key; a portion that is refused as a whole is halved.

    Raises:
        SinkUnavailable, SinkBroken: as the call does.
    """
    if not things:
        return {}
    try:
        return {outcome.key: outcome for outcome in call(things)}
    except BatchRefused as refusal:
        if len(things) == 1:
            key = things[0].key
            return {key: Refused(key, refusal.code, refusal.message)}
    middle = len(things) // 2
    first = halving(call, things[:middle])
    try:
        return first | halving(call, things[middle:])
    except NotSent as error:  # that is true of the second half only
        raise SinkUnavailable(
            error.message, retry_after=error.retry_after, hint=error.hint
        ) from error
