"""Whether sinks have taken what a hook waits for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from zimun_sync.model import STREAMS, Stream, delivered
from zimun_sync.pipeline.offering import fingerprint_of
from zimun_sync.store import Needs, Place, Store


@dataclass(frozen=True, slots=True)
class SinkProgress:
    """Reads from the state how far sinks have come.

    Args:
        store: change feed and offsets.
        streams: names of the streams that are delivered, by source.
        versions: what stands for sinks' own settings, by sink; see `version_of`.
        columns: every stream by name, with the columns that the configuration promotes.
    """

    store: Store
    streams: Mapping[str, Collection[str]]
    versions: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)

    def needs(self, sinks: Collection[str], source: str) -> Needs:
        """What the sinks have to reach to have taken all that the source brought so far."""
        if not sinks:
            return {}
        head = self.store.feed.heads().get(source, 0)
        return {sink: {source: head} for sink in sinks}

    def behind(self, needs: Needs, sinks: Collection[str]) -> str | None:
        """A sink that has not taken what is needed of it; None if all have.

        Args:
            needs: what sinks have to reach.
            sinks: those that still count.
        """
        for sink, sources in needs.items():
            if sink in sinks and not all(self._passed(sink, *each) for each in sources.items()):
                return sink
        return None

    def _passed(self, sink: str, source: str, seq: int) -> bool:
        return all(
            self._passed_stream(Place(sink, source, stream), seq)
            for stream in delivered(self.streams.get(source, ()))
        )

    def _passed_stream(self, place: Place, seq: int) -> bool:
        """Whether no change up to `seq` is left; one with other columns takes all anew."""
        version = self.versions.get(place.sink, "")
        fingerprint = fingerprint_of(self.columns[place.stream], version)
        offset = self.store.deliveries.offset(place, fingerprint)
        following = self.store.feed.changes(place.source, place.stream, offset, limit=1)
        return not following or following[0].seq > seq
