"""One round of the comparison: its folder, its source, and how a program is run in it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from measuring import Measured, measure
from source import differences, program

HERE: Final = Path(__file__).parent
PAGE_SIZE: Final = 500
DUCKDB: Final = {"analytics": {"type": "duckdb", "path": "zimun.duckdb"}}
STREAMS: Final = ["organization", "locations", "appointments"]
#: The environment that `make bench` makes for the peers.
PEERS: Final = Path(sys.executable).parent.parent / "peers" / "bin" / "python"


@dataclass
class Round:
    """One round: an empty folder, in which later rows find what earlier ones left.

    Args:
        api: what the sandbox says on start-up.
        folder: of this round.
        peers: the Python of the peers' environment.
        settings: of the source, on top of its address and credentials.
        number: of the round, from 0.
    """

    api: dict[str, Any]
    folder: Path
    peers: Path = PEERS
    settings: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0

    @cached_property
    def first(self) -> Measured:
        """The first sync into DuckDB, whose folder the nightly ones go on with."""
        return self.sync("first", DUCKDB)

    def sync(self, name: str, sinks: Mapping[str, Any]) -> Measured:
        """`zimun-sync sync` with these sinks, its DuckDB compared with the source."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        config = folder / "zimun-sync.yaml"
        config.write_text(yaml.safe_dump(self._configuration(sinks)))
        config.chmod(0o600)
        measured = measure([program("zimun-sync"), "sync", "--config", str(config), "--json"])
        prove(self.api, folder / "zimun.duckdb")
        return measured

    def _configuration(self, sinks: Mapping[str, Any]) -> dict[str, Any]:
        names = ("base_url", "client_id", "client_secret")
        source = {name: self.api[name] for name in names}
        source |= {"page_size": PAGE_SIZE, "streams": STREAMS, "paging": "stable"}
        source |= self.settings
        return {"state": "sqlite:///state.db", "sources": {"main": source}, "sinks": dict(sinks)}

    def drain(self) -> Measured:
        """The bare drain; it counts what it was given."""
        measured, _ = self._run(Path(sys.executable), "drain")
        if int(measured.said) != self.api["appointments"]:
            sys.exit(f"The drain found {measured.said.strip()} appointments.")
        return measured

    def peer(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> tuple[Measured, Path]:
        """One of the peers, and the database that it has filled.

        Args:
            module: in `peers`.
            arguments: on top of what each is told.
            environment: variables on top of ours.
        """
        return self._run(self.peers, module, *arguments, environment=environment)

    def _run(
        self,
        python: Path,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[Measured, Path]:
        database = self.folder / f"{'-'.join([module, *arguments])}.duckdb"
        job = [self.api["base_url"], str(PAGE_SIZE), self.api["client_id"]]
        job += [self.api["client_secret"], str(database), *arguments]
        command = [str(python), "-m", f"peers.{module}", *job]
        return measure(command, folder=HERE, environment=environment), database


def prove(api: dict[str, Any], database: Path | None, relation: str = "appointments") -> None:
    """End this process unless the appointments are the source's."""
    if wrong := differences(api, database, relation):
        sys.exit(f"{relation} in {database} is not the source's (source, found): {wrong}")
