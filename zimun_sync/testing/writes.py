"""Checks of `open`, `write` and `close`: what goes in is what readers find."""

from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.builders import delete, make_batch, make_row, sink_context, upsert
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import awkward_batch, plain_row

_LARGE = 5_000


class WriteChecks(ContractBase):
    """One sink at a time, nothing going wrong."""

    @check()
    def test_a_new_sink_is_empty(self, rig: Rig) -> None:
        """Readers find no record, and no error, before the first write."""
        sink = rig.open()
        rig.check()
        sink.close()
        rig.check()

    @check()
    def test_opening_again_is_harmless(self, rig: Rig) -> None:
        """`open` may come again on the same object, as after `SinkUnavailable`."""
        sink = rig.open()
        rig.write(sink, self.first(3))
        sink.open(sink_context())
        rig.check()
        rig.write(sink, self.first(2, start=4))
        rig.check()

    @check()
    def test_every_type_survives(self, rig: Rig) -> None:
        """Awkward values and NULL in every column of every stream."""
        sink = rig.open()
        for stream in self.streams:
            rig.write(sink, awkward_batch(stream))
        rig.check()

    @check()
    def test_the_same_batch_twice_is_once(self, rig: Rig) -> None:
        """The second time everything is unchanged."""
        sink = rig.open()
        for stream in self.streams:
            batch = awkward_batch(stream)
            first, second = rig.write(sink, batch), rig.write(sink, batch)
            assert (first.applied, first.unchanged) == (len(batch), 0)
            assert (second.applied, second.unchanged) == (0, len(batch))
        rig.check()

    @check()
    def test_a_later_state_replaces_the_whole_row(self, rig: Rig) -> None:
        """A change is a full state: a value that is NULL now must not linger."""
        sink = rig.open()
        for stream in self.streams:
            rig.write(sink, awkward_batch(stream))
            bare = [
                upsert(100 + change.seq, change.key, make_row(stream, change.key))
                for change in awkward_batch(stream).stored
            ]
            assert rig.write(sink, make_batch(*bare, stream=stream)).applied == len(bare)
        rig.check()

    @check()
    def test_unchanged_and_changed_in_one_batch(self, rig: Rig) -> None:
        """Counts tell the two apart."""
        sink = rig.open()
        batch = self.first(10)
        rig.write(sink, batch)
        stream = self.streams[0]
        edit = upsert(11, "k_4", plain_row(stream, "k_4", "new"))
        mixed = make_batch(*batch.stored[5:], edit, stream=stream)
        result = rig.write(sink, mixed)
        assert (result.applied, result.unchanged) == (1, 5)
        rig.check()

    @check()
    def test_deletes(self, rig: Rig) -> None:
        """A deleted record is gone for readers; an unknown one changes nothing."""
        sink, stream = rig.open(), self.streams[0]
        rig.write(sink, self.first(4))
        gone = make_batch(delete(5, "k_2"), delete(6, "nobody"), stream=stream)
        result = rig.write(sink, gone)
        assert (result.applied, result.unchanged) == (1, 1)
        rig.check()
        assert rig.write(sink, gone).unchanged == len(gone)
        rig.write(sink, make_batch(upsert(7, "k_2", plain_row(stream, "k_2", 7)), stream=stream))
        rig.check()

    @check()
    def test_sources_with_equal_keys_stay_apart(self, rig: Rig) -> None:
        """The key is unique within one source only."""
        sink, stream = rig.open(), self.streams[0]
        for source in ("main", "second"):
            rig.write(sink, self.first(5, source=source))
        rig.write(sink, make_batch(delete(6, "k_1"), stream=stream, source="second"))
        rig.check()

    @check()
    def test_streams_with_equal_keys_stay_apart(self, rig: Rig) -> None:
        """Deleting in one stream leaves the others alone."""
        sink = rig.open()
        for stream in self.streams:
            rig.write(sink, make_batch(upsert(1, "k", make_row(stream, "k")), stream=stream))
        rig.write(sink, make_batch(delete(2, "k"), stream=self.streams[0]))
        rig.check()

    @check()
    def test_late_older_changes_do_not_go_backwards(self, rig: Rig) -> None:
        """Neither an older state nor one from before a deletion comes back."""
        sink, stream = rig.open(), self.streams[0]
        old = self.first(3)
        rig.write(sink, old)
        edit = upsert(4, "k_1", plain_row(stream, "k_1", 4))
        rig.write(sink, make_batch(edit, delete(5, "k_2"), stream=stream))
        assert rig.write(sink, old).applied == 0
        rig.check()

    @check()
    def test_a_replay_reaches_the_same_content(self, rig: Rig) -> None:
        """All of it again from the first sequence, on a sink opened anew."""
        sink = rig.open()
        batches = [self.first(5), self.first(5, start=6)]
        for batch in batches:
            rig.write(sink, batch)
        sink.close()
        sink = rig.open()
        assert sum(rig.write(sink, batch).applied for batch in batches) == 0
        rig.check()

    @check()
    def test_batches_with_more_behind_are_seen_after_close(self, rig: Rig) -> None:
        """Work for readers may be put off while more is waiting, but not beyond `close`."""
        sink, stream = rig.open(), self.streams[0]
        for start in (1, 6, 11):
            batch = self.first(5, start=start)
            rig.write(sink, make_batch(*batch.stored, stream=stream, more=True))
        sink.close()
        rig.check()

    @check()
    def test_a_large_batch(self, rig: Rig) -> None:
        """Thousands of records at once, then again in pieces."""
        sink, stream = rig.open(), self.streams[0]
        batch = self.first(_LARGE)
        assert rig.write(sink, batch).applied == _LARGE
        rig.check()
        for start in range(0, _LARGE, 1_000):
            piece = make_batch(*batch.stored[start : start + 1_000], stream=stream)
            assert rig.write(sink, piece).applied == 0
        rig.check()
