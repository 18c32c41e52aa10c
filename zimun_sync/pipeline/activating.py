"""Activating a sink: what it would write is shown first, and exactly that is agreed to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from zimun_sync.ids import Activation
from zimun_sync.model import STREAMS, Stream
from zimun_sync.pipeline.consent import starting_from
from zimun_sync.pipeline.preview import Preview, Previewed
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import Difference, NeedsActivation
from zimun_sync.store import Store

_REASONED: Final = ("reject", "skip")


@dataclass(slots=True)
class Reason:
    """Why some changes would be left out or refused.

    Args:
        example: the key of the first of them.
        changes: how many there are.
    """

    example: str
    changes: int = 0


@dataclass(slots=True)
class Tally:
    """What a preview came to, counted.

    Args:
        changes: how many the sink was asked about.
        unchanged: those that would do nothing.
        counts: what would be done, by kind of object and action; without `reject` and `skip`.
        reasons: why changes would be rejected or skipped, by action and reason.
    """

    changes: int = 0
    unchanged: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: dict[tuple[str, str], Reason] = field(default_factory=dict)

    def add(self, previewed: Previewed) -> None:
        """Count a batch."""
        self.changes += len(previewed.batch)
        self.unchanged += previewed.unchanged
        for difference in previewed.differences:
            self._add(difference)

    def _add(self, difference: Difference) -> None:
        action = difference.action
        if action not in _REASONED:
            self.counts[difference.kind, action] += 1
            return
        why = self.reasons.setdefault((action, difference.message), Reason(difference.key))
        why.changes += 1

    @property
    def creates(self) -> int:
        """Objects of all kinds that would be created."""
        return sum(count for (_, action), count in self.counts.items() if action == "create")

    def left_out(self, action: str) -> int:
        """Changes that would be rejected (`reject`) or skipped (`skip`)."""
        return sum(each.changes for (what, _), each in self.reasons.items() if what == action)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        kinds = {kind for kind, _ in self.counts} | {"contact", "appointment"}
        return {
            "changes": self.changes,
            "unchanged": self.unchanged,
            **{kind: _of_kind(self.counts, kind) for kind in sorted(kinds)},
            "rejected": list(_reasons_json(self.reasons, "reject")),
            "skipped": list(_reasons_json(self.reasons, "skip")),
        }


def _of_kind(counts: Mapping[tuple[str, str], int], kind: str) -> dict[str, int]:
    return {action: count for (of, action), count in sorted(counts.items()) if of == kind}


def _reasons_json(
    reasons: Mapping[tuple[str, str], Reason], action: str
) -> Iterable[dict[str, Any]]:
    for (what, message), each in reasons.items():
        if what == action:
            yield {"message": message, "changes": each.changes, "example": each.example}


class Announcement(Struct, frozen=True):
    """What a sink would write once it is activated.

    Args:
        sink: its name.
        account: the remote account it would write to, where it tells.
        activation: the consent in question.
        tally: what it would do.
    """

    sink: str
    account: str | None
    activation: Activation
    tally: Tally

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        starts_from = self.activation.starts_from
        return {
            "sink": self.sink,
            "account": self.account,
            "starts_from": None if starts_from is None else starts_from.isoformat(),
            **self.tally.to_json(),
        }


def announce(  # noqa: PLR0913 - most leave the last two at their defaults
    store: Store,
    name: str,
    sink: NeedsActivation,
    streams: Mapping[str, Sequence[str]],
    now: datetime,
    columns: Mapping[str, Stream] = STREAMS,
    *,
    guard: Guard = OPEN,
) -> Announcement:
    """Ask a sink what it would do with everything that is stored; nothing is written.

    Args:
        store: the state; only read.
        name: the sink's name.
        sink: not yet open.
        streams: stream names by source.
        now: the moment of activation, aware UTC.
        columns: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.

    Raises:
        SinkUnavailable: the remote system cannot be asked now.
        SinkBroken: a person has to act first.
    """
    activation = Activation(now, starting_from(sink.start_from, now))
    tally = Tally()
    with Preview(store, name, sink, activation, columns, guard) as preview:
        for previewed in preview.batches(streams):
            tally.add(previewed)
        return Announcement(name, preview.account, activation, tally)


def activate(store: Store, announcement: Announcement) -> None:
    """Record a person's consent: as many creates as were announced are agreed to.

    The running daemon takes the sink up, or the next sync.
    """
    store.activations.activate(
        announcement.sink,
        announcement.activation.starts_from,
        announcement.tally.creates,
        account=announcement.account,
    )
