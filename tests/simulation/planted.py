"""Bugs put into the real code on purpose: a simulator that does not find them is too weak."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from msgspec.structs import replace

from zimun_sync.pipeline import deletions, deliver, passes, report
from zimun_sync.pipeline import inbox as applying
from zimun_sync.store import (
    deliveries,
    feed,
    inbox,
    merge,
    merging,
    missing,
    pages,
    renormalize,
    runs,
)
from zimun_sync.store import leases as leases_module
from zimun_sync.store.merge import Incoming, Standing, Verdict
from zimun_sync.store.run import Run
from zimun_sync.store.runs import turn_page
from zimun_sync.store.seen import forget_seen

Plant = Callable[[ExitStack], None]


def _put(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    stack.enter_context(patch.object(owner, name, value))


def checkpoint_before_its_page(stack: ExitStack) -> None:
    """In listings that are declared stable: another pass would make up for it."""
    real = pages.Pages.commit

    def commit(self: Any, lease: Any, run: Any, page: Any) -> Any:
        counts = {"pages": 1, "records": 0, "changed": 0, "quarantined": 0}
        with self._database.write(durable=False) as connection:
            times = (page.requested_at, page.requested_at)
            turn_page(connection, run, counts, page.next_page_token, times)
        return real(self, lease, run, page)

    _put(stack, pages.Pages, "commit", commit)
    _put(stack, passes.Passes, "after_listing", lambda *_: None)


def _wins_by(rank: Callable[[Standing, Incoming], bool]) -> Plant:
    def plant(stack: ExitStack) -> None:
        _put(stack, merge, "_wins", rank)

    return plant


def dispute_passed_over(stack: ExitStack) -> None:
    real = merge.judge

    def judge(standing: Any, incoming: Any) -> Verdict:
        verdict = real(standing, incoming)
        return Verdict.LATE if verdict is Verdict.DISPUTED else verdict

    _put(stack, merging, "judge", judge)


def offset_before_the_write(stack: ExitStack) -> None:
    real = deliver.Delivery._deliver_one

    def deliver_one(self: Any, at: Any, head: int, *, more: bool) -> Any:
        stored = self.store.feed.changes(
            at.place.source, at.place.stream, at.offset, deliver.BATCH_ROWS, upto=head
        )
        if stored:
            early = deliveries.Delivered(stored[-1].seq, [], (), "")
            self.store.deliveries.record(
                self.lease, at.place, at.fingerprint, early, began_at=at.offset
            )
        return real(self, at, head, more=more)

    _put(stack, deliver.Delivery, "_deliver_one", deliver_one)


def rejection_lost(stack: ExitStack) -> None:
    real = deliveries.Deliveries.record

    def record(self: Any, lease: Any, place: Any, given: str, done: Any, *, began_at: int) -> bool:
        return real(self, lease, place, given, replace(done, rejected=()), began_at=began_at)

    _put(stack, deliveries.Deliveries, "record", record)


def first_page_taken_for_all(stack: ExitStack) -> None:
    _put(stack, Run, "listing_complete", property(lambda self: self.pages > 0))


def tombstone_without_asking(stack: ExitStack) -> None:
    _put(stack, deletions.Deletions, "_is_there", lambda *_: False)


def event_done_before_its_merge(stack: ExitStack) -> None:
    real = inbox.Inbox.settle

    def settle(self: Any, lease: Any, source: str, stream: str, said: Any, rules: str) -> int:
        with self._database.write(durable=False) as connection:
            inbox._done(connection, said.events, 0)
        return real(self, lease, source, stream, said, rules)

    _put(stack, inbox.Inbox, "settle", settle)


def thin_event_dropped(stack: ExitStack) -> None:
    def mark(connection: Any, thin: Any) -> None:
        inbox._done(connection, [number for number, _ in thin], 0)

    _put(stack, inbox, "_mark_thin", mark)


def part_taken_for_whole(stack: ExitStack) -> None:
    _put(stack, applying.Applying, "_set_partial_ones_apart", lambda *_: None)


def lease_not_checked(stack: ExitStack) -> None:
    for module in (pages, inbox, missing, deliveries, runs, leases_module, renormalize):
        _put(stack, module, "check", lambda *_: None)


def known_page_not_looked_at_again(stack: ExitStack) -> None:
    _put(stack, pages.Pages, "_make_sure", lambda *_: None)


def replay_overrun(stack: ExitStack) -> None:
    """The offset is recorded although it was set back while the batch was written."""
    real = deliveries.Deliveries.record

    def record(self: Any, lease: Any, place: Any, given: str, done: Any, *, began_at: int) -> bool:
        now_at = self.offset(place, given)
        return real(self, lease, place, given, done, began_at=now_at)

    _put(stack, deliveries.Deliveries, "record", record)


def offset_of_other_settings(stack: ExitStack) -> None:
    """A sink with other settings goes on where it was."""
    for module in (deliver, report):
        _put(stack, module, "fingerprint_of", lambda stream, _version="": stream.name)


def deletion_as_upsert(stack: ExitStack) -> None:
    _put(stack, feed, "_changes", partial(feed._changes, gone_too=True))


def seen_forgotten_on_resume(stack: ExitStack) -> None:
    real = runs._update

    def update(connection: Any, run_id: str, values: Mapping[str, Any]) -> None:
        if "resumes" in values:
            forget_seen(connection, run_id)
        real(connection, run_id, values)

    _put(stack, runs, "_update", update)


def unreadable_not_seen(stack: ExitStack) -> None:
    real = pages.Pages._keep_seen

    def keep(self: Any, connection: Any, run: Any, page: Any, sorted_: Any) -> None:
        real(self, connection, run, replace(page, refused=()), sorted_)

    _put(stack, pages.Pages, "_keep_seen", keep)


def sink_before_the_disk(stack: ExitStack) -> None:
    _put(stack, feed.Feed, "make_durable", lambda *_: None)


def retry_forgotten(stack: ExitStack) -> None:
    """A rejected record that someone asked to offer again is not."""
    _put(stack, deliver, "retried", lambda *_: [])


def event_acknowledged_too_early(stack: ExitStack) -> None:
    """It is in the inbox, but not on the disk."""
    real = inbox.Inbox.add

    def add(self: Any, events: Sequence[Any]) -> int:
        database = self._database
        write = database.write

        @contextmanager
        def hasty(*, durable: bool) -> Iterator[Any]:
            with write(durable=durable and False) as connection:
                yield connection

        with patch.object(database, "write", hasty):
            return real(self, events)

    _put(stack, inbox.Inbox, "add", add)


#: Within so many seeds every planted bug is found.
SEEDS: Final = 200
#: Found by few seeds: what the quick suite leaves out.
TAKES_LONG: Final = frozenset(
    {
        "event acknowledged too early",
        "event done before its merge",
        "first page taken for all",
        "part taken for whole",
        "replay overrun",
        "seen forgotten on resume",
        "sink before the disk",
        "thin event dropped",
        "tombstone without asking",
        "unreadable not seen",
    }
)
#: Each with the seed that found it when it was last looked for.
PLANTED: Final[Mapping[str, tuple[Plant, int]]] = {
    "checkpoint before its page": (checkpoint_before_its_page, 120),
    "version alone, the first stays": (
        _wins_by(lambda old, new: new.version > max(old.version, old.overruled)),
        0,
    ),
    "version alone, the last wins": (
        _wins_by(lambda old, new: new.version >= old.version > old.overruled),
        4,
    ),
    "dispute passed over": (dispute_passed_over, 4),
    "offset before the write": (offset_before_the_write, 1),
    "rejection lost": (rejection_lost, 1),
    "first page taken for all": (first_page_taken_for_all, 19),
    "tombstone without asking": (tombstone_without_asking, 22),
    "event done before its merge": (event_done_before_its_merge, 139),
    "thin event dropped": (thin_event_dropped, 35),
    "part taken for whole": (part_taken_for_whole, 28),
    "lease not checked": (lease_not_checked, 0),
    "known page not looked at again": (known_page_not_looked_at_again, 5),
    "replay overrun": (replay_overrun, 109),
    "offset of other settings": (offset_of_other_settings, 58),
    "deletion as upsert": (deletion_as_upsert, 0),
    "seen forgotten on resume": (seen_forgotten_on_resume, 26),
    "unreadable not seen": (unreadable_not_seen, 36),
    "sink before the disk": (sink_before_the_disk, 365),
    "retry forgotten": (retry_forgotten, 1),
    "event acknowledged too early": (event_acknowledged_too_early, 139),
}
