"""Which fields are written: what changed here, and never what a person wrote there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.remotes.mapping import Mapped, Mode, Rule, Write
from zimun_sync.remotes.planning import Wanted, mark
from zimun_sync.remotes.values import digest, is_empty

_VALUES = st.none() | st.text(alphabet="abc", min_size=1, max_size=2)


def _wanted(write: Write, ours: Any, sent: Any = ..., **options: Any) -> Wanted:
    rule = Rule("field", write, clears=True, value=lambda _: ours)
    digests = {} if sent is ... else {"field": mark(sent)}
    return Wanted(Mapped(Mode.UPSERT, (rule,)), {"field": ours}, digests, **options)


@pytest.mark.parametrize(
    ("write", "ours", "sent", "present", "written"),
    [
        # nothing of ours changed
        (Write.ONCE, "a", "a", "x", False),
        (Write.UNLESS_EDITED, "a", "a", "x", False),
        (Write.ALWAYS, "a", "a", "x", False),
        # ours changed
        (Write.ONCE, "b", "a", "a", False),
        (Write.UNLESS_EDITED, "b", "a", "a", True),
        (Write.UNLESS_EDITED, "b", "a", "edited", False),
        (Write.UNLESS_EDITED, "b", "a", None, True),
        (Write.ALWAYS, "b", "a", "edited", True),
        # found there, never written by us
        (Write.ONCE, "a", ..., "x", False),
        (Write.ONCE, "a", ..., None, True),
        (Write.UNLESS_EDITED, "a", ..., "x", False),
        (Write.UNLESS_EDITED, "a", ..., "", True),
        (Write.ALWAYS, "a", ..., "x", True),
        (Write.ALWAYS, "a", ..., "a", False),
        # emptied
        (Write.ALWAYS, None, "a", "a", True),
        (Write.UNLESS_EDITED, None, "a", "a", True),
        (Write.UNLESS_EDITED, None, "a", "edited", False),
        (Write.ALWAYS, None, ..., "x", True),
        (Write.ONCE, None, ..., None, False),
    ],
)
def test_when_a_field_is_written(
    write: Write, ours: Any, sent: Any, present: Any, written: bool
) -> None:
    wanted = _wanted(write, ours, sent)
    there = {"field": present} if wanted.needs_present() else {}
    assert wanted.to_update(there) == ({"field": ours} if written else {})


@given(st.sampled_from(Write), _VALUES, _VALUES, _VALUES, st.booleans())
def test_what_is_written_is_not_written_again(
    write: Write, ours: Any, sent: Any, present: Any, thorough: bool
) -> None:
    wanted = _wanted(write, ours, sent, thorough=thorough)
    written = wanted.to_update({"field": present})
    sent_after = wanted.sent_after(written, {"field": present})
    after = Wanted(wanted.mapped, wanted.values, sent_after, thorough=thorough)
    assert after.to_update({"field": written.get("field", present)}) == {}


@given(st.sampled_from(Write), _VALUES, _VALUES)
def test_what_a_person_wrote_stays_unless_it_is_ours_always(
    write: Write, ours: Any, sent: Any
) -> None:
    wanted = _wanted(write, ours, sent)
    kept = wanted.to_update({"field": "written by a person"}) == {}
    assert kept or write is Write.ALWAYS


@given(_VALUES, _VALUES)
def test_a_corrected_detail_is_written_whatever_the_rule(ours: Any, sent: Any) -> None:
    wanted = _wanted(Write.ONCE, ours, sent, forced=frozenset({"field"}))
    assert bool(wanted.to_update({})) == (digest(ours) != digest(sent))


@given(st.sampled_from(Write), _VALUES, _VALUES)
def test_a_thorough_look_finds_what_somebody_moved(write: Write, ours: Any, present: Any) -> None:
    wanted = _wanted(write, ours, ours, thorough=True)
    differs = digest(present) != digest(ours) and not (is_empty(present) and is_empty(ours))
    assert bool(wanted.to_update({"field": present})) == (write is Write.ALWAYS and differs)


def test_a_new_object_gets_all_there_is() -> None:
    rules = tuple(Rule(name, Write.ONCE, clears=True, value=lambda _: None) for name in "ab")
    wanted = Wanted(Mapped(Mode.UPSERT, rules), {"a": 1, "b": None})
    assert wanted.to_create() == {"a": 1}
    assert wanted.sent_after(wanted.to_create(), {}) == {"a": mark(1), "b": mark(None)}


@given(st.sampled_from(Write), _VALUES, _VALUES, _VALUES, st.booleans())
def test_a_write_that_was_cut_off_is_made_up_for(
    write: Write, before: Any, cut_off: Any, now: Any, arrived: bool
) -> None:
    """Whether or not it arrived, the latest value is there in the end."""
    first = _wanted(write, cut_off, before)
    written = first.to_update({"field": before})
    rule = Rule("field", write, clears=True, value=lambda _: now)
    second = Wanted(Mapped(Mode.UPSERT, (rule,)), {"field": now}, first.about_to(written))
    there = written.get("field", before) if arrived else before
    due = second.to_update({"field": there} if second.needs_present() else {})
    if written:
        assert digest(due.get("field", there)) == digest(now)


@given(st.sampled_from(Write), _VALUES, _VALUES)
def test_what_a_person_wrote_meanwhile_stays_even_then(
    write: Write, before: Any, cut_off: Any
) -> None:
    first = _wanted(write, cut_off, before)
    sent = first.about_to(first.to_update({"field": before}))
    second = Wanted(first.mapped, first.values, sent)
    kept = second.to_update({"field": "written by a person"}) == {}
    assert kept or write is Write.ALWAYS
