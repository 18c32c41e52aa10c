"""Checks of what a sink may do beyond the contract, each due where the ability is there."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zimun_sync.sinks import (
    Adopts,
    Checks,
    Freshness,
    ReadsBack,
    ShowsFreshness,
    Sink,
    SinkBroken,
    SinkUnavailable,
)
from zimun_sync.testing.base import ContractBase, check
from zimun_sync.testing.builders import delete, make_batch, sink_context, upsert
from zimun_sync.testing.harness import Unusable
from zimun_sync.testing.rig import Rig
from zimun_sync.testing.samples import awkward_batch, plain_row


class AbilityChecks(ContractBase):
    """Identity, reading back, trying out, and refusing what cannot work."""

    @check("Adopts")
    def test_a_foreign_store_is_refused(self, rig: Rig) -> None:
        """Another store's sink is left untouched, and the hint names the remedy."""
        self._written(rig)
        _refused(rig.make(), store_id="store-2")
        rig.check()

    @check("Adopts")
    @pytest.mark.parametrize("heads", [{"main": 4}, {}], ids=["behind", "unknown"])
    def test_a_sink_ahead_of_the_store_is_refused(self, rig: Rig, heads: dict[str, int]) -> None:
        """A store that was restored from a backup, or emptied, must not write here."""
        self._written(rig)
        _refused(rig.make(), heads=heads)
        rig.open(heads={"main": 5})
        rig.check()

    @check("Adopts")
    def test_adopting(self, rig: Rig) -> None:
        """The new store's changes count from 1 again; the old store is foreign from now on."""
        self._written(rig)
        adopted: dict[str, Any] = {"store_id": "store-2", "heads": {"main": 2}}
        sink = rig.open(adopting=True, **adopted)
        assert isinstance(sink, Adopts)
        for _ in range(2):
            sink.adopt(sink_context(adopting=True, **adopted))
        rig.check()
        sink.close()
        _refused(rig.make())
        rig.expected.adopt()
        sink, stream = rig.open(**adopted), self.streams[0]
        edit = upsert(1, "k_1", plain_row(stream, "k_1", "new"))
        renewed = make_batch(edit, delete(2, "k_2"), stream=stream)
        assert rig.write(sink, renewed).applied == len(renewed)
        rig.check()

    @check("ReadsBack")
    def test_reading_back(self, rig: Rig) -> None:
        """Keys and hashes are those of the latest states, per source and stream."""
        sink = rig.open()
        assert isinstance(sink, ReadsBack)
        for stream in self.streams:
            for source in ("main", "second"):
                assert list(sink.read_back(source, stream)) == []
                rig.write(sink, awkward_batch(stream, source))
        rig.write(sink, make_batch(delete(100, "a_1"), stream=self.streams[0]))
        for stream in self.streams:
            live = rig.expected.live(stream).items()
            for source in ("main", "second"):
                pairs = list(sink.read_back(source, stream))
                wanted = {key: change.hash for (owner, key), change in live if owner == source}
                assert len(pairs) == len(wanted)
                assert dict(pairs) == wanted
        rig.check()

    @check("ShowsFreshness")
    def test_showing_freshness_changes_no_record(self, rig: Rig) -> None:
        """Not before the first record, not twice, and not where values are missing."""
        sink = rig.open()
        assert isinstance(sink, ShowsFreshness)
        at = datetime(2026, 11, 20, 3, tzinfo=UTC)
        for asked, changed in ((at, at), (None, None)):
            rows = [
                Freshness("main", stream.name, asked, "succeeded", changed, 3, at)
                for stream in self.streams
            ]
            for _ in range(2):
                sink.show_freshness(rows)
            rig.check()
            rig.write(sink, self.first(2, start=1 if asked else 3))
        sink.show_freshness([])
        rig.check()
        sink.close()
        rig.open()
        rig.check()

    @check("Checks")
    def test_checking_leaves_nothing_behind(self, rig: Rig, tmp_path: Path) -> None:
        """Neither before the first opening nor on a sink in use since."""
        before = _tree(tmp_path)
        _try(rig.make())
        assert _tree(tmp_path) == before
        self._written(rig)
        before = _tree(tmp_path)
        _try(rig.make())
        assert _tree(tmp_path) == before
        rig.check()

    @check("Unusable")
    def test_an_unusable_storage_is_refused_clearly(self, rig: Rig) -> None:
        """`open`, and `check` where there is one, say what is wrong and what to do."""
        harness = rig.harness
        assert isinstance(harness, Unusable)
        sink = harness.unusable()
        _raises_with_hint(lambda: sink.open(sink_context()))
        sink.close()
        if isinstance(sink, Checks):
            _raises_with_hint(lambda: _try(sink))

    def _written(self, rig: Rig) -> None:
        sink = rig.open()
        rig.write(sink, self.first(5))
        sink.close()


def _refused(sink: Sink, **context: Any) -> None:
    with pytest.raises(SinkBroken) as caught:
        sink.open(sink_context(**context))
    assert "adopt" in caught.value.hint, "the hint must name the remedy: zimun-sync adopt NAME"
    sink.close()


def _raises_with_hint(action: Callable[[], None]) -> None:
    with pytest.raises((SinkBroken, SinkUnavailable)) as caught:
        action()
    assert caught.value.message
    assert caught.value.hint, "an error must say what to do next"


def _try(sink: Sink) -> None:
    assert isinstance(sink, Checks)
    sink.check(sink_context())
    sink.close()


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file under the folder with its content, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }
