"""What `status`, the metrics and the hooks all go by: how things stand, and what is wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zimun_sync.config import Config
from zimun_sync.events import Emit, TroubleBegan, TroubleEnded
from zimun_sync.status.snapshot import Snapshot
from zimun_sync.status.taking import Count, take
from zimun_sync.status.troubles import Severity, Trouble, troubles, undecided
from zimun_sync.store import Store


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand.

    Args:
        snapshot: what was read.
        troubles: what is wrong with it, and what is worth knowing.
    """

    snapshot: Snapshot
    troubles: tuple[Trouble, ...]

    @property
    def wrong(self) -> tuple[Trouble, ...]:
        """What someone has to act upon."""
        return tuple(each for each in self.troubles if each.severity is Severity.TROUBLE)

    @property
    def exit_code(self) -> int:
        """0 when all is well, 3 when someone has to act."""
        return 3 if self.wrong else 0

    def to_json(self) -> dict[str, Any]:
        """The object that `status --json` and `/status` show."""
        said = {"well": not self.wrong, "troubles": [asdict(each) for each in self.troubles]}
        return said | self.snapshot.to_json()


def status_of(
    store: Store,
    config: Config,
    *,
    count: Count | None = None,
    skews: Mapping[str, float] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Status:
    """How things stand now; arguments and errors as for `take`."""
    snapshot = take(store, config, count=count, skews=skews, versions=versions)
    return Status(snapshot, tuple(troubles(snapshot, config.alerts)))


def tell_changes(store: Store, status: Status, emit: Emit) -> None:
    """Emit what began or ended being wrong since the last time, across restarts.

    Raises:
        StoreError: the state could not be read or written; nothing was told.
    """
    wrong = {each.subject: each for each in status.wrong}
    reasons = {subject: each.reason for subject, each in wrong.items()}
    turns = store.troubles.update(reasons, undecided(status.snapshot))
    for subject in turns.began:
        emit(TroubleBegan(subject, wrong[subject].reason, wrong[subject].hint))
    for subject, seconds in turns.ended.items():
        emit(TroubleEnded(subject, seconds))
