"""Changes whose rows stay packed are what a plain list of changes is."""

from itertools import compress
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.stored import PackedChanges, StoredChange, chosen, heads

#: Where a row holds the source's own time.
UPDATED_AT = 1
_values = st.none() | st.integers(0, 9) | st.text(max_size=3)
_changes = st.lists(
    st.tuples(
        st.tuples(_values, st.none() | st.integers(0, 9), _values) | st.none(),
        st.binary(min_size=16, max_size=16),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=8,
)
#: More than are unpacked at once.
_lengths = st.sampled_from([0, 1, 3, 499, 500, 501, 1_200])


def packed(made: list[Any]) -> tuple[PackedChanges, list[StoredChange]]:
    """The same changes packed, and as a list."""
    columns: list[list[Any]] = [[] for _ in range(7)]
    plain = []
    for seq, (row, digest, observed, since) in enumerate(made, start=1):
        row_bytes = None if row is None else msgspec.msgpack.encode(row)
        values = (seq, f"k{seq}", row_bytes, digest, f"run {seq}", observed, since)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
        known_at = since if row is not None and row[UPDATED_AT] is None else observed
        shown = "" if row is None else digest.hex()
        plain.append(StoredChange(seq, f"k{seq}", row, shown, f"run {seq}", known_at))
    return PackedChanges(columns, UPDATED_AT), plain


@given(_changes, _lengths, st.slices(1_200), st.randoms())
def test_packed_changes_read_like_a_list(
    few: list[Any], length: int, part: slice, chance: Any
) -> None:
    made = [chance.choice(few) for _ in range(length)] if few else []
    changes, plain = packed(made)
    assert list(changes) == plain == list(changes)  # as often as one likes
    assert len(changes) == len(plain)
    assert changes == plain
    assert [changes[at] for at in range(-min(3, len(plain)), min(3, len(plain)))] == [
        plain[at] for at in range(-min(3, len(plain)), min(3, len(plain)))
    ]
    assert changes[part] == plain[part]
    assert heads(changes) == heads(plain)
    marks = [chance.random() < 0.5 for _ in plain]
    assert chosen(changes, marks) == chosen(plain, marks) == list(compress(plain, marks))
    assert heads(chosen(changes, marks)) == heads(chosen(plain, marks))


@given(_changes)
def test_packed_changes_tell_whether_all_rows_are_of_one_length(few: list[Any]) -> None:
    changes, _ = packed(few)
    assert changes.all_have(3)
    assert changes.all_have(4) == all(row is None for row, *_ in few)


def test_the_length_of_a_long_row_is_told_too() -> None:
    for length in (15, 16, 40, 70_000):
        row = msgspec.msgpack.encode((None,) * length)
        changes = PackedChanges([[1], ["k"], [row], [b""], ["run"], [0], [0]], 0)
        assert changes.all_have(length)
        assert not changes.all_have(length - 1)
        assert not changes.all_have(length + 1)
