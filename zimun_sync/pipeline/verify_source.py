"""Comparing what a source lists with what is stored; nothing is stored by it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct

from zimun_sync.errors import NotFound, ScopeMissing, SourceError
from zimun_sync.events import Emit
from zimun_sync.model import PULLED, to_micros
from zimun_sync.normalize import Normalized, Refused
from zimun_sync.normalize.process import Setup
from zimun_sync.pipeline.ahead import Ahead, on_threads
from zimun_sync.pipeline.doubts import Doubts, Shown
from zimun_sync.pipeline.findings import NAMED_AT_MOST, Compared, Finding, Kind, Why
from zimun_sync.pipeline.horizon import MADE
from zimun_sync.pipeline.listings import Interrupted, Stopping
from zimun_sync.pipeline.marks import Marks
from zimun_sync.pipeline.normalizing import Normalizing
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.store import Place, Standing, Store
from zimun_sync.zimun import Page, TokenTrail

_AT_ONCE: Final = 5_000
_CHANGING: Final = "made of many answers that change by the minute: the next pull tells"
_NOT_OFFERED: Final = "this API does not offer it"
_MEND: Final = "`zimun-sync quarantine list` tells what to do."


@dataclass(slots=True)
class _Listed:
    """What a listing has shown so far.

    Args:
        compared: what is said of it.
        started: when it began by the store's clock, microseconds UTC.
        met: keys that it brought.
        doubts: what seems to differ, by key; None where it lacks the record.
        began: when its first page was asked for, by the source's clock, microseconds UTC.
    """

    compared: Compared
    started: int
    met: Marks = field(default_factory=Marks)
    doubts: dict[str, Shown | None] = field(default_factory=dict)
    began: int = 0


class SourceComparison(Struct, frozen=True):
    """Lists a source's streams and compares.

    Args:
        job: the source.
        store: what was brought of it; only read.
        emit: told what happens.
        stopping: asked between pages.
        ahead: how pages are got ready.
    """

    job: SourceJob
    store: Store
    emit: Emit
    stopping: Stopping
    ahead: Ahead = on_threads

    def run(self) -> list[Compared]:
        """Compare every stream; one that cannot be listed now is told with the reason.

        Raises:
            Interrupted: the process was asked to end.
            StoreError: the state cannot be read.
        """
        return [self._stream(name) for name in PULLED if name in self.job.streams]

    def _stream(self, stream: str) -> Compared:
        found = Compared(self.job.name, stream)
        if stream in MADE:
            found.skipped = _CHANGING
            return found
        try:
            self._compare(stream, found)
        except (NotFound, ScopeMissing) as error:
            if stream == "appointments":
                return _failed(found, error)
            found.skipped = _NOT_OFFERED
        except SourceError as error:
            if self.stopping():  # a wait was cut short: nothing failed
                raise Interrupted from error
            return _failed(found, error)
        return found

    def _compare(self, stream: str, found: Compared) -> None:
        rules = rules_now(self.store, self.job.name, self.job.rules)
        setup = Setup(stream, rules, places_of(self.store, self.job.name))
        listed = _Listed(found, self.store.now())
        self._list(setup, listed)
        self._look_for_unlisted(stream, listed)
        doubts = Doubts(
            self.job.listings,
            self.store,
            self.job.name,
            setup.normalizer(),
            listed.began,
            self.stopping,
        )
        for key, shown in listed.doubts.items():
            finding = doubts.settle(key, shown)
            if finding is not None:
                found.add(finding)
            elif shown is not None:
                found.same += 1

    def _list(self, setup: Setup, listed: _Listed) -> None:
        trail = TokenTrail()
        fetch = partial(self.job.listings.page, setup.stream)
        with (
            Normalizing(setup, self.emit) as normalizing,
            closing(self.ahead(fetch, normalizing, None)) as pages,
        ):
            for page, ready in pages:
                if self.stopping():
                    raise Interrupted
                if page.next_page_token is not None:
                    trail.follow(page.next_page_token, setup.stream)
                listed.began = listed.began or to_micros(page.requested_at)
                self._take_page(setup.stream, listed, page, ready.items.records)
                self._take_refused(setup.stream, listed, ready.items.refused)

    def _take_page(
        self, stream: str, listed: _Listed, page: Page, records: Sequence[Normalized]
    ) -> None:
        keys = [record.key for record in records]
        standing = self.store.standing.of(self.job.name, stream, keys)
        listed.met.add(keys)
        for record in records:
            if _is_held(standing, record):
                listed.compared.same += 1
                listed.doubts.pop(record.key, None)
            else:
                shown = Shown(record.hash, record.updated_at, to_micros(page.requested_at))
                _doubt(listed, record.key, shown)

    def _take_refused(self, stream: str, listed: _Listed, refused: Sequence[Refused]) -> None:
        """Records that cannot be read: they wait in quarantine, or a pull puts them there."""
        if not refused:
            return
        listed.met.add(each.key for each in refused)
        known = self.store.redeliveries.refused(Place("", self.job.name, stream))
        for each in refused:
            status, _ = known.get(each.key, ("", ""))
            why = {"": Why.FAULT, "dropped": Why.DROPPED}.get(status, Why.QUARANTINE)
            listed.compared.add(Finding(each.key, Kind.IN_QUARANTINE, why, each.code, _MEND))

    def _look_for_unlisted(self, stream: str, listed: _Listed) -> None:
        """Records that were stored before the listing began, and that it lacks."""
        keys = self.store.standing.keys(self.job.name, stream)
        while some := list(islice(keys, _AT_ONCE)):
            unmet = [key for key in some if key not in listed.met]
            standing = self.store.standing.of(self.job.name, stream, unmet) if unmet else {}
            for key, held in standing.items():
                if not held.deleted and held.observed_at < listed.started:
                    _doubt(listed, key, None)


def _is_held(standing: Mapping[str, Standing], record: Normalized) -> bool:
    held = standing.get(record.key)
    return held is not None and not held.deleted and held.hash == record.hash


def _doubt(listed: _Listed, key: str, shown: Shown | None) -> None:
    """Look at it once more; of what is more than can be named, only the number is kept."""
    if len(listed.doubts) < NAMED_AT_MOST or key in listed.doubts:
        listed.doubts[key] = shown
    else:
        kind = Kind.GONE_AT_SOURCE if shown is None else Kind.STALE_IN_STORE
        why = Why.UNDECIDED if shown is None else Why.FAULT
        listed.compared.add(Finding(key, kind, why))


def _failed(found: Compared, error: SourceError) -> Compared:
    found.failed, found.hint = error.message, error.hint
    return found
