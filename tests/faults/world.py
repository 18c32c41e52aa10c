"""A source, a project that is synced from it, and whether the two agree: the oracle."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.acceptance import contents
from tests.acceptance.asking import HTTP
from tests.acceptance.daemon import fresh_secret, serve_settings, sign, until
from tests.acceptance.program import PATIENCE_SECONDS, Ended, Project
from tests.faults.processes import Nursery, Process
from zimun_sync.sandbox import Sandbox, read_fault

ROWS, PAGE = 240, 40
LAST_PAGE = ROWS // PAGE - 1
#: What a fault may cost: the page that was being stored and the one on its way.
AGAIN_AT_MOST = 2
_LENGTHS = count(1)


@dataclass
class World:
    """One source and one project.

    Args:
        nursery: starts the processes.
        sandbox: the source; other worlds may share it.
        project: lists locations and appointments, in pages of `PAGE`.
    """

    nursery: Nursery
    sandbox: Sandbox
    project: Project
    _served: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.project.source.update(page_size=PAGE, streams=["locations", "appointments"])
        self.project.save()
        self._served = self.served()

    def run(self, *arguments: str, **circumstances: Any) -> Ended:
        """A command, to its end; see `Nursery.started`."""
        self.pages()
        return self.nursery.run(self.project, *arguments, **circumstances)

    def started(self, *arguments: str, **circumstances: Any) -> AbstractContextManager[Process]:
        """A command that runs for the length of a block."""
        self.pages()
        return self.nursery.started(self.project, *arguments, **circumstances)

    def sync(self, **circumstances: Any) -> Ended:
        """`zimun-sync sync --json`."""
        return self.run("sync", "--json", **circumstances)

    def order(self, *faults: str) -> None:
        """Have these go wrong at the source, and nothing else."""
        self.sandbox.faults.clear()
        for fault in faults:
            self.sandbox.faults.order(read_fault(fault))

    def change(self, *, every: int = 7) -> list[bytes]:
        """Give every so many-th appointment a length that it never had; what they are now."""
        minutes, now = next(_LENGTHS), datetime.now(UTC).isoformat()
        changed = []
        for item in self.sandbox.world.appointments.window(0, ROWS).items[::every]:
            record = json.loads(item) | {"appointment_duration": minutes, "updated_at": now}
            changed.append(json.dumps(record).encode())
            self.sandbox.world.put_appointment(record["appointment_id"], changed[-1])
        return changed

    def holds_the_truth(self) -> bool:
        """Whether every sink holds exactly what the source lists."""
        truth = contents.of_source(self.sandbox.control_url)
        return all(held == truth for held in self._held())

    def served(self) -> Counter[int]:
        """How often each page of appointments was served whole since the source began."""
        starts = self.sandbox.observed.report()["pages"].get("appointments", {})
        return Counter({int(start) // PAGE: often for start, often in starts.items()})

    def pages(self) -> list[int]:
        """Pages of appointments that the latest command was served, in order; once told."""
        self._settle()
        before, self._served = self._served, self.served()
        return sorted((self._served - before).elements())

    def _held(self) -> list[dict[str, Any]]:
        return [self._held_by(each) for each in self.project.sinks.values()]

    def _held_by(self, sink: dict[str, Any]) -> dict[str, Any]:
        if sink["type"] == "postgres":
            return contents.of_postgres(sink["url"], sink["schema"])
        read = {"duckdb": contents.of_duckdb, "csv": contents.of_csv}[sink["type"]]
        return read(self.project.folder / sink["path"])

    def _settle(self) -> None:
        """Wait until the source has answered what a killed process had asked."""
        HTTP.get(self.sandbox.base_url)  # by then it has read what lay in that one's sockets
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            report = self.sandbox.observed.report()
            if sum(report["requests"].values()) == sum(report["statuses"].values()):
                return
            assert time.monotonic() < deadline, "the source hangs"


def fetched_again(before: list[int], after: list[int]) -> int:
    """How many pages of one listing a process fetched that the one before it had fetched."""
    for pages in (before, after):
        assert pages == list(range(pages[0], pages[-1] + 1)) if pages else True, "once, in order"
    if not before or not after or (before[-1] == LAST_PAGE and after[0] == 0):
        return 0  # the other one fetched nothing, or had come to its end
    return before[-1] + 1 - after[0]


@dataclass(frozen=True, slots=True)
class Served:
    """A running `zimun-sync serve`."""

    process: Process
    url: str
    secret: str

    def post(self, body: bytes, event_id: str, *, at: float | None = None) -> httpx.Response:
        """Send a webhook as the API would, signed at an instant (epoch seconds); default: now."""
        moment = int(time.time() if at is None else at)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(Webhook(self.secret), event_id, moment, body),
        }
        return HTTP.post(f"{self.url}/webhooks/main", content=body, headers=headers)

    def status(self) -> Any:
        """What `/status` tells."""
        return HTTP.get(f"{self.url}/status").json()

    def is_ready(self) -> bool:
        """What `/readyz` tells."""
        return HTTP.get(f"{self.url}/readyz").status_code == 200


@contextmanager
def served(world: World, **circumstances: Any) -> Iterator[Served]:
    """The daemon of a world for the length of a block; killed at its end."""
    secret = fresh_secret()
    serve_settings(world.project, secret)
    with world.started("serve", **circumstances) as process:
        url = until(lambda: _address(process), "the daemon tells its address")
        yield Served(process, url, secret)


def _address(process: Process) -> str:
    for line in process.err.read_text().splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "daemon_started":
            return str(said["address"])
    assert process.wait(0) is None, process.err.read_text()
    return ""


def event_of(record: bytes) -> bytes:
    """The webhook that tells of an appointment as it is."""
    content = json.loads(record)
    said = {"type": "appointment.updated", "timestamp": content["updated_at"], "data": content}
    return json.dumps(said).encode()
