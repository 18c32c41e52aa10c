"""What a reader was answered, and what of it cannot be the truth of any one instant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: How the driver marks a record it changes: the same text in three columns.
MARK = "change "


@dataclass(frozen=True, slots=True)
class Answer:
    """One round of questions, each one statement.

    Args:
        asked_at: seconds of the machine's monotonic clock, as is `at`.
        at: when the first question was answered.
        rows: appointments, and how many different `keys` they have.
        seq: the latest change that is there.
        content: a hash of every column of every appointment, whatever their order.
        untied: appointments whose columns cannot be of one version.
        changes: numbers of the driver's changes that stand, as far as not told before.
        orphans: appointments of a service or a staff member that cannot be found.
        standing: appointments with exactly one standing version in their history.
        gaps: versions that do not end where the next one begins.
        straddled: appointments that a statement naming the view twice saw in two versions.
    """

    asked_at: float
    at: float
    rows: int
    keys: int
    seq: int
    content: int
    untied: int
    changes: list[int] = field(default_factory=list)
    orphans: int = 0
    standing: int | None = None
    gaps: int = 0
    straddled: int = 0


def faults(answers: Iterable[Answer], rows: int) -> list[str]:
    """What is wrong with answers of all readers, in words; empty when nothing is.

    Args:
        answers: in any order.
        rows: how many appointments there were all the time.
    """
    ordered = sorted(answers, key=lambda answer: answer.asked_at)
    wrong = [fault for answer in ordered for fault in _alone(answer, rows)]
    return wrong + _disagreeing(ordered) + _backwards(ordered)


def _alone(answer: Answer, rows: int) -> list[str]:
    """What one answer alone gives away: a row missing, doubled, mixed or without its context."""
    found = {
        f"{answer.rows} appointments instead of {rows}": answer.rows != rows,
        f"{answer.keys} keys in {answer.rows} appointments": answer.keys != answer.rows,
        f"{answer.untied} appointments of mixed versions": answer.untied,
        f"{answer.orphans} appointments without their service or staff": answer.orphans,
        f"{answer.standing} of {rows} with one standing version": answer.standing
        not in {None, rows},
        f"{answer.gaps} gaps in the history": answer.gaps,
    }
    return [what for what, is_so in found.items() if is_so]


def _disagreeing(answers: Sequence[Answer]) -> list[str]:
    """Everyone who sees the same latest change has to see the same of every record."""
    contents: dict[int, set[int]] = {}
    for answer in answers:
        contents.setdefault(answer.seq, set()).add(answer.content)
    return [
        f"{len(found)} different contents at change {seq}"
        for seq, found in contents.items()
        if len(found) > 1
    ]


def _backwards(answers: Sequence[Answer]) -> list[str]:
    """Who asks after another was answered must not see less."""
    events = sorted(
        [(answer.asked_at, 1, answer.seq) for answer in answers]
        + [(answer.at, 0, answer.seq) for answer in answers]
    )
    newest, wrong = -1, list[str]()
    for _, is_question, seq in events:
        if is_question and seq < newest:
            wrong.append(f"change {seq} after {newest} was seen")
        newest = newest if is_question else max(newest, seq)
    return wrong


def longest_pause(moments: Iterable[float]) -> float:
    """The longest time between two neighbours, seconds; 0 with fewer than two."""
    return max((b - a for a, b in pairwise(sorted(moments))), default=0.0)
