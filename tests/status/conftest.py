"""A state with a clock that is moved by hand, its configuration, and runs as tests want them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from tests.states import put_new_state
from zimun_sync.config import Config, load
from zimun_sync.errors import SourceUnavailable
from zimun_sync.model import STREAMS
from zimun_sync.normalize import Normalized, Normalizer, Places, Refused, Rules
from zimun_sync.store import Lease, PageRecords, Run, RunStatus, Store

T0 = datetime(2026, 11, 20, 3, tzinfo=UTC)
HOUR = 3600.0


@dataclass
class Hands:
    """A clock that stands until it is moved."""

    now: datetime = T0

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Bench:
    """A state and its configuration, and shortcuts to put the state where a test wants it."""

    store: Store
    config: Config
    clock: Hands
    leases: dict[str, Lease]

    def begin(self, stream: str = "services", source: str = "main", *, fresh: bool = True) -> Run:
        if source not in self.leases:
            self.store.add_source(source)
            self.leases[source] = self.store.leases.acquire(f"source:{source}")
        return self.store.runs.begin(self.leases[source], source, stream, "p", fresh=fresh)

    def page(
        self, run: Run, *keys: str, token: str | None = "more", refused: tuple[str, ...] = ()
    ) -> Run:
        content = PageRecords(
            [service(key) for key in keys],
            [Refused(key, "missing-time", "It has no time.", b"{}") for key in refused],
            token,
            0,
        )
        return self.store.pages.commit(self.leases[run.source], run, content).run

    def succeed(self, stream: str = "services", *keys: str, source: str = "main") -> Run:
        run = self.page(self.begin(stream, source), *keys, token=None)
        return self.store.runs.succeed(self.leases[source], run, listed_everything=False)

    def fail(
        self,
        stream: str = "services",
        *,
        source: str = "main",
        status: RunStatus = RunStatus.FAILED,
        fresh: bool = True,
    ) -> Run:
        run = self.page(self.begin(stream, source, fresh=fresh))
        trouble = SourceUnavailable("The API is down.", hint="Wait.")
        return self.store.runs.finish(self.leases[source], run, status, trouble)

    def put(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        """Put rows into a table whose writers are not at hand here."""
        with self.store._database.write(durable=False) as connection:
            connection.execute(sa.insert(table), list(rows))


def service(key: str) -> Normalized:
    normalizer = Normalizer(STREAMS["services"], Rules({}, {}), Places())
    return normalizer.normalize(b'{"service_id": "%s", "name": "Cut"}' % key.encode())


Configure = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Makes a configuration; what is given replaces whole sections."""

    def configure(**sections: Any) -> Config:
        source = {"client_id": "c", "client_secret": "s3cret", "streams": ["services", "staff"]}
        content: dict[str, Any] = {
            "state": "sqlite:///state.db",
            "sources": {"main": source},
            "sinks": {"files": {"type": "csv", "path": "csv"}},
            "schedule": {"timezone": "Europe/Berlin"},
            "hooks": {"bi": {"on": ["succeeded"], "url": "https://bi.example.org"}},
        }
        file = tmp_path / "zimun-sync.yaml"
        file.write_text(yaml.safe_dump(content | sections), encoding="utf-8")
        file.chmod(0o600)
        return load(file, {})

    return configure


@pytest.fixture
def bench(configure: Configure) -> Iterator[Bench]:
    config, clock = configure(), Hands()
    put_new_state(config.folder)
    with Store.open(config.state, config.folder, clock) as store:
        store.add_source("main")
        yield Bench(store, config, clock, {})
