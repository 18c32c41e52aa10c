"""The versions of one record in order: since when each stood, until when, and what it changed.

Pure, so that the order in which versions were learnt cannot matter. A version stands from the
time that the source gives it; one that the API's answer by id put in another's place stands
from no earlier than that one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from zimun_sync.model import APPOINTMENTS, Row, from_micros

#: A version's own time: another one says nothing about the appointment.
_UNTOLD = frozenset({"updated_at"})
_COLUMNS = tuple(column.name for column in APPOINTMENTS.content)
_NOBODY: dict[str, Any] = {}


class Sighting(NamedTuple):
    """A version as the store keeps it; times are microseconds UTC.

    Args:
        correction: how often a record's version had been put right when it came.
        overruled: the greatest version that was put aside in doing so.
        version: the source's own time of it, the newest known.
        since: the first such time.
        deleted: whether it says that the record is gone.
        hash: of the source's content.
        row: content values.
        run_id: what brought it.
        observed_at: when the store took it.
        pruned: whether it is past its time, and only tells what the next one changed.
    """

    correction: int
    overruled: int
    version: int
    since: int
    deleted: bool
    hash: bytes
    row: Row
    run_id: str
    observed_at: int
    pruned: bool = False

    @property
    def start(self) -> int:
        """Since when it stood, microseconds UTC."""
        return max(self.since, self.overruled)


class Version(NamedTuple):
    """One stretch of time in which a record did not change; times are microseconds UTC.

    Args:
        version_id: stable, whatever else is learnt later.
        valid_from: its beginning.
        valid_to: its end, excluded; None while it lasts.
        changed: columns that differ from the version before; None in the first one.
        seen: what was seen then.
    """

    version_id: str
    valid_from: int
    valid_to: int | None
    changed: tuple[str, ...] | None
    seen: Sighting


class Timeline(NamedTuple):
    """What is known of one record's past and present.

    Args:
        versions: in order, without gaps; those past their time are left out.
        merged: ids of versions that turned out to be the continuation of the one before.
    """

    versions: tuple[Version, ...]
    merged: tuple[str, ...]


def timeline(key: str, past: Sequence[Sighting], present: Sighting) -> Timeline:
    """Put a record's versions in order.

    Args:
        key: the record's key.
        past: versions that do not stand any more, in any order.
        present: the one that stands.
    """
    seen = [*sorted(past, key=_order), present]
    leading = [seen[0]]
    continued: list[Sighting] = []
    for each in seen[1:]:
        if _continues(leading[-1], each):
            continued.append(each)
            # What goes on within its time is told, from where it began.
            leading[-1] = leading[-1]._replace(pruned=leading[-1].pruned and each.pruned)
        else:
            leading.append(each)
    starts = _starts(leading)
    ids = _ids(key, starts)
    ends: list[int | None] = [*starts[1:], None]
    changes = [None, *(_changed(*both) for both in pairwise(leading))]
    versions = map(Version, ids, starts, ends, changes, leading)
    merged = set(_possible(key, seen, continued)) - set(ids)
    kept = tuple(version for version in versions if not version.seen.pruned)
    return Timeline(kept, tuple(sorted(merged)))


def _order(sighting: Sighting) -> tuple[Any, ...]:
    seen = sighting
    place = (seen.start, seen.correction, seen.deleted, seen.hash, seen.version)
    return (*place, seen.since, seen.overruled, seen.observed_at)


def _continues(before: Sighting, after: Sighting) -> bool:
    same = after.hash == before.hash or after.row == before.row
    return same and after.deleted == before.deleted


def _starts(leading: Sequence[Sighting]) -> list[int]:
    """Beginnings that never go back, whatever the source's clock did."""
    starts: list[int] = []
    for each in leading:
        starts.append(max(each.start, starts[-1] if starts else each.start))
    return starts


def _ids(key: str, starts: Sequence[int]) -> list[str]:
    """Of versions that begin at the same instant the last one lasts; the others are numbered."""
    ids, number = [], 0
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        number = number + 1 if start == following else 0
        ids.append(_id(key, start, number))
    return ids


def _possible(key: str, seen: Sequence[Sighting], continued: Sequence[Sighting]) -> Iterator[str]:
    """Ids that versions would have, if none continued the one before it."""
    counts = Counter(each.start for each in seen)
    for start in {each.start for each in continued}:
        yield from (_id(key, start, number) for number in range(counts[start]))


def _id(key: str, start: int, number: int) -> str:
    moment = from_micros(start).isoformat(timespec="microseconds")
    return f"{key}@{moment}~{number}" if number else f"{key}@{moment}"


def key_of(version_id: str) -> str:
    """The key of the record that a version is of."""
    return version_id.rpartition("@")[0]


def _changed(before: Sighting, after: Sighting) -> tuple[str, ...]:
    pairs = zip(_COLUMNS, before.row, after.row, strict=False)
    fixed = [name for name, old, new in pairs if old != new and name not in _UNTOLD]
    old, new = _promoted(before.row), _promoted(after.row)
    return (*fixed, *(name for name in sorted({*old, *new}) if old.get(name) != new.get(name)))


def _promoted(row: Row) -> dict[str, Any]:
    return row[len(_COLUMNS)] if len(row) > len(_COLUMNS) else _NOBODY


def rows_of(found: Timeline, webhook: str) -> Iterator[tuple[str, Row]]:
    """Key and content of each version, as the stream of versions has them.

    Args:
        found: the versions.
        webhook: the `run_id` of what webhooks brought.
    """
    for version_id, valid_from, valid_to, changed, seen in found.versions:
        listed = None if changed is None else msgspec.json.encode(changed).decode()
        learnt_by = "webhook" if seen.run_id == webhook else "pull"
        yield (
            version_id,
            (
                version_id,
                valid_from,
                valid_to,
                seen.deleted,
                listed,
                learnt_by,
                seen.observed_at,
                *seen.row,
            ),
        )
