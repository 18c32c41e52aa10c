"""What a preview came to, in lines for people."""

from collections.abc import Iterator
from typing import Final

from zimun_sync.cli.common import number
from zimun_sync.pipeline.activating import Reason, Tally

_PAST: Final = {
    "create": "created",
    "update": "updated",
    "cancel": "cancelled",
    "archive": "archived",
    "link": "linked",
}
_LEFT_OUT: Final = {"reject": "rejected", "skip": "skipped"}
#: Reasons that are told one by one; the rest is counted.
_MOST: Final = 5


def tally_lines(tally: Tally) -> Iterator[str]:
    """Counts of each kind, then what would be left out and why."""
    for kind in sorted({kind for kind, _ in tally.counts}, reverse=True):
        counts = (
            f"{number(tally.counts[kind, action])} {past}"
            for action, past in _PAST.items()
            if tally.counts[kind, action]
        )
        yield f"{kind}s: {', '.join(counts)}"
    if tally.unchanged or not tally.changes:
        yield f"unchanged: {number(tally.unchanged)}"
    for action, past in _LEFT_OUT.items():
        reasons = [(why, each) for (what, why), each in tally.reasons.items() if what == action]
        if reasons:
            yield f"{past}: {number(tally.left_out(action))}"
            yield from _reasons(reasons)


def _reasons(reasons: list[tuple[str, Reason]]) -> Iterator[str]:
    reasons.sort(key=lambda each: -each[1].changes)
    for why, each in reasons[:_MOST]:
        yield f"  {number(each.changes)}, such as {each.example}: {why or 'no reason is given'}"
    if len(reasons) > _MOST:
        rest = sum(each.changes for _, each in reasons[_MOST:])
        yield f"  {number(rest)} for other reasons"
