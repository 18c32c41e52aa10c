"""What sinks with a state of their own know of records, compared with a dictionary."""

import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from zimun_connectors.common.records import Records, is_news
from zimun_connectors.csv.state import PLACE, State
from zimun_sync.sinks import Head

#: Two words with the same CRC-32, and others.
TWINS = ("plumless", "buckeroo")
KEYS = (*TWINS, "a_1", "a_2", "a_3", "ä'\"\\", "")

_Entries = dict[str, tuple[str, int, int]]
_bytes = st.integers(0, 2**63 - 1)
_batches = st.tuples(
    st.sampled_from((1, 2, "appointments")),
    st.sampled_from(("main", "other")),
    st.dictionaries(
        st.sampled_from(KEYS),
        st.tuples(st.sampled_from(("", "a" * 32, "b" * 32)), _bytes, _bytes),
        min_size=1,
    ),
)


def test_the_twins_are_twins() -> None:
    assert len({zlib.crc32(key.encode()) for key in TWINS}) == 1


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(_batches, max_size=12))
def test_every_record_is_known_as_it_was_last_put(
    batches: list[tuple[int | str, str, _Entries]],
) -> None:
    model: dict[tuple[int | str, str], dict[str, tuple[int, str, tuple[int, ...]]]] = {}
    with TemporaryDirectory() as folder:
        state = State(Path(folder) / "state.sqlite")
        records = Records(state.db, *PLACE)
        for seq, (stream, source, entries) in enumerate(batches):
            hashes, starts, lengths = zip(*entries.values(), strict=True)
            pairs = zip(entries, hashes, strict=True)
            heads = [Head(seq, key, digest, not digest, "r") for key, digest in pairs]
            former = records.known(stream, source, KEYS)
            records.put(stream, source, heads, former, starts, lengths)
            held = model.setdefault((stream, source), {})
            held |= {key: (seq, digest, (*own,)) for key, (digest, *own) in entries.items()}
        for (stream, source), expected in model.items():
            known = records.known(stream, source, KEYS)
            assert {key: each[1:] for key, each in known.items()} == expected
            present = {key: digest for key, (_, digest, _) in expected.items() if digest}
            assert sorted(records.hashes(stream, source)) == sorted(present.items())
        state.close()


def test_what_is_asked_for_is_all_that_is_told(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    records = Records(state.db, *PLACE)
    records.put(1, "main", [Head(5, TWINS[0], "a" * 32, False, "r")], {}, [0], [1])
    assert list(records.known(1, "main", TWINS)) == [TWINS[0]]
    assert records.known(1, "main", TWINS[1:]) == {}
    assert records.known(2, "main", TWINS) == records.known(1, "other", TWINS) == {}
    state.close()


def test_news_comes_later_and_differs(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    records = Records(state.db, *PLACE)
    records.put(1, "main", [Head(5, "a", "a" * 32, False, "r")], {}, [0], [1])
    known = records.known(1, "main", ["a"])["a"]
    state.close()
    told = {
        (seq, digest, which is None): is_news(Head(seq, "a", digest, not digest, "r"), which)
        for seq, digest in ((4, "b" * 32), (5, "b" * 32), (6, "a" * 32), (6, ""))
        for which in (known, None)
    }
    assert [key for key, news in told.items() if not news] == [
        (4, "b" * 32, False),
        (6, "a" * 32, False),
        (6, "", True),
    ]
