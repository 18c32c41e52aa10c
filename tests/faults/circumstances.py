"""What befalls a `zimun-sync` process from outside; brought about before its `main` is called.

Production code never asks whether it is under test: what dies here is wrapped from outside.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
import time_machine
from sqlalchemy.engine import Engine

from zimun_connectors.csv.publish import Publisher
from zimun_sync.network import transport
from zimun_sync.pipeline import deliver
from zimun_sync.store import pages
from zimun_sync.store.deliveries import Deliveries
from zimun_sync.store.inbox import Inbox
from zimun_sync.store.leases import Leases
from zimun_sync.store.pages import Pages
from zimun_sync.store.runs import Runs
from zimun_sync.web import intake
from zimun_sync.zimun import ZimunClient

_STREAM: Final = "appointments"


class Boundary(NamedTuple):
    """An instant of a sync: before or after a function, where its arguments are such."""

    owner: Any
    name: str
    after: bool
    applies: Callable[..., bool] = lambda *_: True


def _of_run(_self: Any, _lease: Any, run: Any, *_: Any) -> bool:
    return bool(run.stream == _STREAM)


def _of_place(_self: Any, _lease: Any, place: Any, *_: Any) -> bool:
    return bool(place.stream == _STREAM)


def _to(name: str) -> Callable[..., bool]:
    return lambda _new, path: Path(path).name == name


#: Every step of a sync, in the order of a record's way, and of a webhook's.
BOUNDARIES: Final[Mapping[str, Boundary]] = {
    "lease taken": Boundary(Leases, "acquire", after=True),
    "run begun": Boundary(Runs, "begin", after=True),
    "request sent": Boundary(transport._Stream, "read", after=False),
    "response read": Boundary(ZimunClient, "page", True, lambda _, stream, *__: stream == _STREAM),
    "before page commit": Boundary(Pages, "commit", False, _of_run),
    "within page commit": Boundary(pages, "turn_page", False, lambda _, run, *__: run.pages > 0),
    "after page commit": Boundary(Pages, "commit", True, _of_run),
    "before run finalized": Boundary(Runs, "succeed", False, _of_run),
    "after run finalized": Boundary(Runs, "succeed", True, _of_run),
    "before sink write": Boundary(deliver, "write", after=False),
    "after sink write": Boundary(deliver, "write", after=True),
    "before offset recorded": Boundary(Deliveries, "record", False, _of_place),
    "after offset recorded": Boundary(Deliveries, "record", True, _of_place),
    "before CSV is renamed": Boundary(Path, "replace", False, _to("appointments.csv")),
    "after CSV is renamed": Boundary(Path, "replace", True, _to("appointments.csv")),
    "CSV renamed, not recorded": Boundary(Publisher, "publish", after=True),
    "before delta is renamed": Boundary(Path, "replace", False, _to("delta.duckdb")),
    "after delta is renamed": Boundary(Path, "replace", True, _to("delta.duckdb")),
    "before snapshot is renamed": Boundary(Path, "replace", False, _to("snapshot.duckdb")),
    "after snapshot is renamed": Boundary(Path, "replace", True, _to("snapshot.duckdb")),
    "before webhook is stored": Boundary(Inbox, "add", after=False),
    "webhook stored, not answered": Boundary(intake, "_tell", after=False),
    "before inbox merged": Boundary(Inbox, "settle", after=False),
    "after inbox merged": Boundary(Inbox, "settle", after=True),
}


def dies(argument: Mapping[str, Any]) -> None:
    """Be killed when a boundary is reached for the `time`-th time; `mark` is written first."""
    boundary = BOUNDARIES[argument["at"]]
    left = count(argument["time"], -1)

    def die() -> None:
        if next(left) == 1:
            Path(argument["mark"]).write_text(argument["at"], encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    act = getattr(boundary.owner, boundary.name)

    @wraps(act)
    def mortal(*args: Any, **options: Any) -> Any:
        counts = boundary.applies(*args)
        if counts and not boundary.after:
            die()
        answer = act(*args, **options)
        if counts and boundary.after:
            die()
        return answer

    setattr(boundary.owner, boundary.name, mortal)


def full_state(spare_pages: int) -> None:
    """Let the SQLite state grow by so many pages and no more: SQLITE_FULL, as on a full disk."""

    def limit(connection: Any, *_: Any) -> None:
        [size] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {size + spare_pages}")

    sa.event.listen(Engine, "checkout", limit)


def clock(seconds: float) -> None:
    """Have the machine's clock that many seconds ahead, negative: behind."""
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)).start()


def environment(variables: Mapping[str, str]) -> None:
    """Have these variables."""
    os.environ.update(variables)


def installed(folder: str) -> None:
    """Have a distribution installed, such as a connector's."""
    sys.path.insert(0, folder)


def bring_about(name: str, argument: Any) -> None:
    """Bring one of them about."""
    known: Mapping[str, Callable[[Any], None]] = {
        each.__name__: each for each in (dies, full_state, clock, environment, installed)
    }
    known[name](argument)
