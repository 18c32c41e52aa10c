"""What comparing source, store and sinks came to, for people, `--json` and the exit code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

#: Differing records of one stream that are named; of more, only the number is told.
NAMED_AT_MOST: Final = 50_000


class Kind(StrEnum):
    """How a record differs."""

    MISSING_IN_STORE = "missing-in-store"  #: the source lists it, the store lacks it
    STALE_IN_STORE = "stale-in-store"  #: both have it, with other content
    GONE_AT_SOURCE = "gone-at-source"  #: the store has it, the source does not list it
    IN_QUARANTINE = "in-quarantine"  #: the source lists it, and it cannot be read
    MISSING_IN_SINK = "missing-in-sink"  #: the store has it, the sink lacks it
    DIFFERS_IN_SINK = "differs-in-sink"  #: both have it, with other content
    ONLY_IN_SINK = "only-in-sink"  #: the sink has it, the store does not, or no more


class Why(StrEnum):
    """What is known of the reason. Only `FAULT` and `QUARANTINE` want somebody to act."""

    FAULT = "fault"  #: no reason is known: it should not be so
    QUARANTINE = "quarantine"  #: it was refused, and waits in quarantine
    DROPPED = "dropped"  #: it was refused, and a person gave it up as it is
    WAITING = "waiting"  #: the sink has not come to it yet
    RETIRED = "retired"  #: the state let go of it, being past its time, and the sink keeps it
    UNDECIDED = "undecided"  #: it changed meanwhile, or could not be asked for


_ACT: Final = frozenset({Why.FAULT, Why.QUARANTINE})


class Finding(Struct, frozen=True):
    """One record that differs; holds no personal data beyond its key.

    Args:
        key: the record's key.
        kind: how it differs.
        why: the reason, as far as it is known.
        detail: the rest in words: the columns that differ, a code, whose version is later.
        hint: what to do.
    """

    key: str
    kind: Kind
    why: Why
    detail: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """As `verify --json` prints it."""
        return {
            "key": self.key,
            "kind": self.kind,
            "why": self.why,
            "detail": self.detail,
            "hint": self.hint,
        }


@dataclass(slots=True)
class Compared:
    """One stream of one source, compared with the store's: the source's own, or a sink's.

    Args:
        source: the source's name.
        stream: the stream's name; empty where nothing of a whole sink could be compared.
        sink: the sink's name; empty for what the source lists.
        same: records that are equal.
        counts: of the others, by kind and why, as `kind/why`.
        findings: the first `NAMED_AT_MOST` of those.
        skipped: why it was not compared, as is right for it; empty where it was.
        failed: why it could not be compared now; empty where it was.
        hint: what to do about that.
    """

    source: str
    stream: str
    sink: str = ""
    same: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    skipped: str = ""
    failed: str = ""
    hint: str = ""

    def add(self, finding: Finding) -> None:
        """Count a record that differs, and name it if there is room."""
        at = f"{finding.kind}/{finding.why}"
        self.counts[at] = self.counts.get(at, 0) + 1
        if len(self.findings) < NAMED_AT_MOST:
            self.findings.append(finding)

    def count(self, *whys: Why) -> int:
        """How many differ for one of these reasons."""
        wanted = {str(each) for each in whys}
        return sum(n for at, n in self.counts.items() if at.partition("/")[2] in wanted)

    @property
    def faults(self) -> list[Finding]:
        """Those that should not be so and that delivering, or pulling, again would mend."""
        return [each for each in self.findings if each.why is Why.FAULT]

    @property
    def unnamed(self) -> int:
        """Records that differ and are not among `findings`."""
        return sum(self.counts.values()) - len(self.findings)

    def to_json(self) -> dict[str, Any]:
        """As `verify --json` prints it."""
        by_kind: Counter[str] = Counter()
        for at, count in self.counts.items():
            by_kind[at.partition("/")[0]] += count
        return {
            "source": self.source,
            "stream": self.stream,
            "same": self.same,
            "counts": dict(by_kind),
            "faults": self.count(Why.FAULT),
            "differences": [each.to_json() for each in self.findings],
            "unnamed": self.unnamed,
            "skipped": self.skipped or None,
            "failed": self.failed or None,
            "hint": self.hint or None,
        }


class SinkState(Struct, frozen=True):
    """How a sink stands when it was compared.

    Args:
        state: `current`, `behind` or `parked`.
        lag: changes that it has not taken yet.
        reason: why it is parked.
        hint: what to do about it.
    """

    state: str
    lag: int = 0
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """Everything that was compared.

    Args:
        sources: a stream each.
        sinks: a stream of a source and a sink each.
        states: how each of those sinks stands, by name.
        repaired: records that were brought again, by the name of what they were brought to;
            None where nothing was to be repaired.
    """

    sources: Sequence[Compared]
    sinks: Sequence[Compared]
    states: Mapping[str, SinkState] = field(default_factory=dict)
    repaired: Mapping[str, int] | None = None

    @property
    def all(self) -> list[Compared]:
        """Source and sinks."""
        return [*self.sources, *self.sinks]

    @property
    def status(self) -> str:
        """`failed` where something could not be compared now; `different`; else `equal`."""
        if any(each.failed for each in self.all):
            return "failed"
        differs = any(each.count(*_ACT) for each in self.all)
        return "different" if differs or self._unproven() else "equal"

    def _unproven(self) -> bool:
        """Whether a sink is parked, or is behind and cannot be compared besides."""
        compared = {each.sink for each in self.sinks if not each.skipped}
        return any(
            each.state == "parked" or (each.state == "behind" and name not in compared)
            for name, each in self.states.items()
        )

    @property
    def exit_code(self) -> int:
        """0 all equal, 3 something differs, 1 something could not be compared."""
        return {"equal": 0, "different": 3, "failed": 1}[self.status]

    def to_json(self) -> dict[str, Any]:
        """The object that `verify --json` prints."""
        by_sink: dict[str, list[dict[str, Any]]] = {name: [] for name in self.states}
        for each in self.sinks:
            by_sink.setdefault(each.sink, []).append(each.to_json())
        return {
            "status": self.status,
            "sources": [each.to_json() for each in self.sources],
            "sinks": {name: self._sink_json(name, each) for name, each in by_sink.items()},
            "repaired": None if self.repaired is None else dict(self.repaired),
        }

    def _sink_json(self, name: str, streams: list[dict[str, Any]]) -> dict[str, Any]:
        at = self.states.get(name, SinkState("current"))
        told = {"state": at.state, "lag": at.lag, "reason": at.reason or None}
        return told | {"hint": at.hint or None, "streams": streams}
