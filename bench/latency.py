"""How long a booking takes from the API's answer to a reader of DuckDB, while full pulls run.

Bookings are confirmed through the sandbox's API at a steady pace; the sandbox tells the daemon by
webhook; a reader in a process of its own, connected all the while, notes when it sees each one.
Beside that one full listing follows the other, unless `--no-pulls` says that none does. At the end
DuckDB must hold the source's checksums. Usage:

    python bench/latency.py [--rows 20000] [--pace 50] [--seconds 60] [--no-pulls]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import yaml
from source import differences, program, sandbox

Order = dict[str, Any]
#: A day's slots come again every fortnight; the world is not booked so far ahead.
FORTNIGHTS = 26
GAP = timedelta(minutes=15)


def read(database: str) -> None:
    """Tell, until killed, when which booking was first seen; stays connected all the while."""
    seen: set[str] = set()
    with duckdb.connect(database, read_only=True) as connection:
        query = "SELECT appointment_id FROM appointments WHERE contact_name = 'Bench'"
        while True:
            keys = {key for (key,) in connection.execute(query).fetchall()}
            now = time.time()
            if new := keys - seen:
                print(json.dumps({"at": now, "keys": sorted(new)}), flush=True)
                seen |= new
            time.sleep(0.05)


@dataclass
class Seen:
    """What the reader told: booking → when."""

    at: dict[str, float] = field(default_factory=dict)

    def listen(self, lines: Iterator[str]) -> None:
        """Take down what the reader tells."""
        for line in lines:
            told = json.loads(line)
            self.at |= dict.fromkeys(told["keys"], told["at"])


class Customers:
    """Book through the API at a steady pace."""

    def __init__(self, api: dict[str, Any]) -> None:
        root = api["base_url"].removesuffix("/api/v1")
        token = httpx.post(
            f"{root}/oauth/token",
            auth=(api["client_id"], api["client_secret"]),
            data={"grant_type": "client_credentials"},
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.api = httpx.Client(base_url=api["base_url"], headers=headers, timeout=60)
        self._lock = threading.Lock()
        self.booked: dict[str, float] = {}

    def orders(self) -> Iterator[Order]:
        """Orders that are not in each other's way, as far as can be told beforehand."""
        organization = self.api.get("/organization").json()["organization_id"]
        busy: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
        for service in self.api.get("/services", params={"page_size": 50}).json()["items"]:
            asked = {"service_id": service["service_id"], "days_ahead": 14}
            for slot in self.api.get("/availability", params=asked).json()["slots"]:
                for number in range(FORTNIGHTS):
                    start = datetime.fromisoformat(slot["start"]) + timedelta(days=14 * number)
                    end = start + timedelta(minutes=service["duration"]) + GAP
                    day = busy.setdefault((str(slot.get("staff_id")), f"{start:%F}"), [])
                    if any(a < end and start < b for a, b in day):
                        continue
                    day.append((start, end))
                    places = ("staff_id", "location_id")
                    yield {name: slot[name] for name in places if slot.get(name)} | {
                        "organization_id": organization,
                        "service_id": service["service_id"],
                        "appointment_time": start.isoformat(),
                        "appointment_duration": service["duration"],
                    }

    def book(self, orders: Iterator[Order]) -> None:
        """Book the next order whose slot is free."""
        while True:
            with self._lock:
                order = next(orders)
            held = self.api.post("/appointments/hold", json=order)
            if held.is_success:
                break
        contact = {"contact_name": "Bench", "contact_email": "bench@example.com"}
        body = {"hold_id": held.json()["hold_id"], **contact}
        answer = self.api.post("/appointments/confirm", json=body).raise_for_status()
        self.booked[answer.json()["appointment_id"]] = time.time()

    def book_at(self, pace: float, seconds: float) -> None:
        """Book so many a second for so long."""
        orders = iter(list(self.orders()))
        began = time.time()
        with ThreadPoolExecutor(8) as pool:
            for number in range(int(pace * seconds)):
                time.sleep(max(began + number / pace - time.time(), 0))
                pool.submit(self.book, orders)


class Daemon:
    """`zimun-sync serve` in a folder."""

    def __init__(self, folder: Path, api: dict[str, Any]) -> None:
        self.folder = folder
        self.database = folder / "zimun.duckdb"
        secret = "whsec_" + b64encode(os.urandom(32)).decode()
        names = ("base_url", "client_id", "client_secret")
        source = {name: api[name] for name in names} | {"webhook_secrets": [secret]}
        settings = {
            "state": "sqlite:///state.db",
            "sources": {"main": source | {"page_size": 500}},
            "sinks": {"analytics": {"type": "duckdb", "path": "zimun.duckdb"}},
            "server": {"port": 0},
            "log": {"format": "json"},
        }
        file = folder / "zimun-sync.yaml"
        file.write_text(yaml.safe_dump(settings))
        file.chmod(0o600)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in the daemon's folder."""
        command = [program("zimun-sync"), *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Runs for the length of the block, its first pull delivered, its webhook registered."""
        log = self.folder / "serve.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [program("zimun-sync"), "serve"], cwd=self.folder, stderr=stream
            )
        try:
            until(lambda: "daemon_started" in log.read_text(), "the daemon starts")
            until(lambda: not self.run("sync", "--json").returncode, "a first pull succeeds")
            lines = [json.loads(line) for line in log.read_text().splitlines() if line[0] == "{"]
            (address,) = (each["address"] for each in lines if each["event"] == "daemon_started")
            registered = self.run("webhooks", "register", address)
            if registered.returncode:
                sys.exit(registered.stderr)
            yield
        finally:
            process.terminate()
            process.wait(60)


def until(reached: Callable[[], Any], what: str) -> None:
    """Wait until something is so; ends this process if it never is."""
    deadline = time.monotonic() + 300
    while not reached():
        if time.monotonic() > deadline:
            sys.exit(f"never: {what}")
        time.sleep(0.1)


@contextmanager
def reader(database: Path) -> Iterator[Seen]:
    """The reader's process, and what it has seen."""
    seen = Seen()
    command = [sys.executable, __file__, "--reader", str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout or [])
        threading.Thread(target=seen.listen, args=(lines,), daemon=True).start()
        time.sleep(1)
        yield seen
        process.kill()


@contextmanager
def pulling(daemon: Daemon) -> Iterator[list[int]]:
    """One full pull after the other for the length of the block; their exit codes."""
    pulls, over = list[int](), threading.Event()

    def pull() -> None:
        while not over.is_set():
            pulls.append(daemon.run("sync", "--full", "--json").returncode)

    puller = threading.Thread(target=pull)
    puller.start()
    try:
        yield pulls
    finally:
        over.set()
        puller.join()


def measure(api: dict[str, Any], pace: float, seconds: float, *, pull: bool) -> dict[str, Any]:
    """Book, beside full pulls if asked to; lags in seconds."""
    customers = Customers(api)
    with tempfile.TemporaryDirectory(prefix="zimun-bench-") as folder:
        daemon = Daemon(Path(folder), api)
        with daemon.serving(), reader(daemon.database) as seen:
            with pulling(daemon) if pull else nullcontext(list[int]()) as pulls:
                customers.book_at(pace, seconds)
            until(lambda: customers.booked.keys() <= seen.at.keys(), "each booking is seen")
            until(lambda: not differences(api, daemon.database), "DuckDB equals the source")
    if len(customers.booked) < int(pace * seconds):
        sys.exit("not enough slots are free: ask for fewer bookings")
    lags = sorted(seen.at[key] - at for key, at in customers.booked.items())
    cuts = statistics.quantiles(lags, n=100)
    return {
        "booked": len(lags),
        "full_pulls": len(pulls),
        "pulls_that_failed": sum(map(bool, pulls)),
        "p50_s": cuts[49],
        "p95_s": cuts[94],
        "p99_s": cuts[98],
        "max_s": lags[-1],
    }


def main() -> None:
    """Measure once and print; details go to bench/out/latency.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pace", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-pulls", action="store_true")
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        read(options.reader)
    with sandbox(options.rows) as api:
        result = measure(api, options.pace, options.seconds, pull=not options.no_pulls)
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    (out / "latency.json").write_text(json.dumps(result, indent=2))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; {options.rows:,} rows")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
