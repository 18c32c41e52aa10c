"""The merge law: which of two versions of a record stands. Pure, so that order cannot matter.

The greatest `(correction, version, deleted, hash)` wins. `version` is the source's
`updated_at`, or the time the request was sent where the source gives none. A `correction`
is the answer of a `GET` by id that settled a dispute; it leads the tuple, and versions up to
the one it overruled cannot win against it again.
"""

from enum import Enum, auto
from typing import NamedTuple

#: `Standing.overruled` of a record that was never corrected.
NOTHING_OVERRULED = -(2**63)


class Standing(NamedTuple):
    """What the store holds of a record, as far as merging is concerned; `id`: its number there."""

    seq: int
    correction: int
    overruled: int
    version: int
    since: int
    deleted: bool
    hash: bytes
    row_hash: bytes
    observed_at: int
    id: int


class Incoming(NamedTuple):
    """A version that arrives. `asked_at`: when the source was asked for it, microseconds."""

    version: int
    deleted: bool
    hash: bytes
    row_hash: bytes
    asked_at: int


class Verdict(Enum):
    """What to do with an incoming version."""

    CHANGE = auto()  #: it stands from now on: a new seq, sinks are told
    REFRESH = auto()  #: same content for every sink: keep it as the newest, no new seq
    NOTHING = auto()  #: known already
    LATE = auto()  #: an older version: it only belongs into history
    EARLIER = auto()  #: what stands, seen even before it was known: it belongs into history too
    DISPUTED = auto()  #: asked for after the standing version, yet it loses: GET by id decides


def judge(standing: Standing | None, incoming: Incoming) -> Verdict:
    """The verdict on an incoming version, given what stands."""
    if standing is None:
        return Verdict.CHANGE
    if _same_content(standing, incoming):
        if incoming.version > max(standing.version, standing.overruled):
            return Verdict.REFRESH
        return Verdict.EARLIER if incoming.version < standing.since else Verdict.NOTHING
    if _wins(standing, incoming):
        same_row = incoming.row_hash == standing.row_hash
        return (
            Verdict.REFRESH if same_row and incoming.deleted == standing.deleted else Verdict.CHANGE
        )
    if incoming.asked_at > standing.observed_at:
        return Verdict.DISPUTED
    return Verdict.LATE


def _same_content(standing: Standing, incoming: Incoming) -> bool:
    return incoming.hash == standing.hash and incoming.deleted == standing.deleted


def _wins(standing: Standing, incoming: Incoming) -> bool:
    if incoming.version <= standing.overruled:
        return False
    rank = (incoming.version, incoming.deleted, incoming.hash)
    return rank > (standing.version, standing.deleted, standing.hash)
