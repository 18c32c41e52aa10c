from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from zimun_connectors.postgres import PostgresSettings, PostgresSink
from zimun_sync.model import STREAMS, Stream
from zimun_sync.sinks import SinkContext

if TYPE_CHECKING:
    from tests.conftest import PostgresServer


@dataclass
class Bench:
    """One schema of the warehouse, with everything a test does to it.

    Args:
        url: of the database, for its superuser.
        name: unique to the test; the schema's name, and the beginning of roles'.
        streams: those that the configuration knows.
    """

    url: str
    name: str
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)
    sinks: list[PostgresSink] = field(default_factory=list)

    def context(self, **changes: Any) -> SinkContext:
        usual = {
            "name": "warehouse",
            "store_id": "store-1",
            "heads": {"main": 10**9},
            "streams": self.streams,
        }
        clock = lambda: datetime(2026, 11, 20, 3, tzinfo=UTC)  # noqa: E731 - a clock that stands
        return SinkContext(**{**usual, "now": clock, **changes})

    def settings(self, **settings: Any) -> PostgresSettings:
        usual = {"url": self.url, "schema": self.name, "lock_timeout": 0.2}
        return PostgresSettings.model_validate(usual | settings)

    def sink(self, **settings: Any) -> PostgresSink:
        sink = PostgresSink(self.settings(**settings))
        self.sinks.append(sink)
        return sink

    def opened(self, **settings: Any) -> PostgresSink:
        sink = self.sink(**settings)
        sink.open(self.context())
        return sink

    def admin(self, statement: str, *names: str) -> list[tuple[Any, ...]]:
        """Run what an administrator might; `{0}` is the schema, further numbers the names."""
        quoted = [sql.Identifier(name) for name in (self.name, *names)]
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*quoted))
            return cursor.fetchall() if cursor.description else []

    def role(self, name: str = "analysts") -> str:
        """Make a role that may sign in, of the test's own."""
        role = f"{self.name}_{name}"
        self.admin("CREATE ROLE {1} LOGIN PASSWORD 'right'", role)
        return role

    def url_of(self, role: str) -> str:
        return self.url.replace("//zimun@", f"//{role}@")

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


def restart(server: "PostgresServer") -> None:
    """Stop the server as an administrator would, and start it again."""
    folder = server._folder
    arguments = ("-D", str(folder / "data"), "-l", str(folder / "log"), "-m", "fast", "-w")
    server._run("pg_ctl", *arguments, "restart")


@pytest.fixture
def bench(postgres_url: str) -> Iterator[Bench]:
    bench = Bench(postgres_url, f"wh{postgres_url.rpartition('_')[2]}")
    yield bench
    bench.close()
