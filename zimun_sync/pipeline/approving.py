"""Letting records be deleted that a listing lacked in suspicious numbers."""

from zimun_sync.errors import ConfigError
from zimun_sync.events import Emit
from zimun_sync.model import STREAMS
from zimun_sync.normalize import Normalizer
from zimun_sync.pipeline.deletions import Deletions
from zimun_sync.pipeline.listings import Stopping
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.store import Lease, Run, RunStatus, Store


def approve(store: Store, run_id: str) -> Run:
    """Take a person's word that what a run lacked may be deleted, each record on proof.

    Raises:
        ConfigError: there is no such run, or it waits for no approval.
    """
    run = store.runs.get(run_id)
    if run.status != RunStatus.NEEDS_ATTENTION:
        raise ConfigError(
            f"Run {run_id} {run.status.replace('_', ' ')}: it waits for no approval.",
            hint="`zimun-sync runs --status needs_attention` shows those that do.",
        )
    if not store.missing.approve(run_id):
        raise ConfigError(
            f"Run {run_id} holds back no deletions. {run.error or ''}".rstrip(),
            hint=run.hint or "A later listing may have settled it: see `zimun-sync status`.",
        )
    return store.runs.approve(run_id)


def confirm(
    store: Store, job: SourceJob, lease: Lease, run_id: str, emit: Emit, stopping: Stopping
) -> Run:
    """Ask for every approved record by id, and bury those that are gone.

    Raises:
        ListingDoubtful: no listed record answers by id, or asking is refused.
        LeaseLost: another process took over.
        Interrupted: the process was asked to end; the next run goes on.
    """
    run = store.runs.get(run_id)
    listings = job.all_listings(store)
    deletions = Deletions(listings, store, lease, job.deletions, emit, stopping)
    rules = rules_now(store, job.name, job.rules)
    normalizer = Normalizer(STREAMS[run.stream], rules, places_of(store, job.name))
    return deletions.confirm_all(run, normalizer)
