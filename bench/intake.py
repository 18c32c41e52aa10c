"""How fast webhook events become durable, and whether every one acknowledged outlives a kill -9.

A web server with a SQLite state as shipped runs in a process of its own; this one signs events
and sends them over keep-alive connections. First as fast as answers come, then at a steady pace,
then as fast as possible again until the server is killed in the midst of it. Usage:

    python bench/intake.py [--seconds 10] [--connections 64] [--pace 500] [--folder .]
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hmac import digest
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

HERE = Path(__file__).parent
SECRET = "whsec_" + b64encode(b"of the benchmark, 32 bytes long.").decode()
KEY = b64decode(SECRET.removeprefix("whsec_"))
SOURCE, STATE = "main", "state.db"
ACCEPTED = 202


def serve(folder: Path) -> None:
    """Take webhooks into a state in the folder, until killed; say where on standard output."""
    from zimun_sync.config import SourceSettings
    from zimun_sync.config.serving import ServerSettings
    from zimun_sync.store import Store
    from zimun_sync.web import Endpoints, Intake, WebServer, verifiers_of

    def failed(error: BaseException) -> None:
        raise error

    settings = {"client_id": "-", "client_secret": "-", "webhook_secrets": [SECRET]}
    verifiers = verifiers_of({SOURCE: SourceSettings.model_validate(settings)})
    with Store.open(f"sqlite:///{STATE}", folder) as store:
        intake = Intake(store.inbox, store.probe, lambda _: None, failed)
        intake.start()
        endpoints = Endpoints(lambda: verifiers, lambda _: None, intake=intake)
        server = WebServer(ServerSettings(port=0), endpoints, failed)
        server.start()
        print(server.address, flush=True)
        threading.Event().wait()


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server in a process of its own: its address, and the process."""
    command = [sys.executable, __file__, "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(iter(process.stdout or [])).strip(), process
        finally:
            process.kill()


class Connection(asyncio.Protocol):
    """One keep-alive connection that carries one request at a time."""

    def __init__(self) -> None:
        self._heard = b""
        self._answer: asyncio.Future[int | None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Tell the answer's status once it is whole; all have a Content-Length."""
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.partition(b"content-length: ")[2].partition(b"\r")[0]):
            self._heard = b""
            self._tell(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing more will be answered."""
        self._tell(None)

    def post(self, request: bytes) -> Awaitable[int | None]:
        """Send a request; gives its answer's status, None if the connection ends first."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)  # type: ignore[attr-defined]
        return self._answer

    def _tell(self, status: int | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)


def request(name: str, host: str) -> bytes:
    """One signed event about a record of its own."""
    body = json.dumps(event(name), separators=(",", ":")).encode()
    stamp = str(int(time.time()))
    content = f"{name}.{stamp}.".encode() + body
    signature = b64encode(digest(KEY, content, "sha256")).decode()
    head = (
        f"POST /webhooks/{SOURCE} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nwebhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\n"
        f"webhook-signature: v1,{signature}\r\nuser-agent: bench\r\n\r\n"
    )
    return head.encode() + body


def event(name: str) -> dict[str, Any]:
    """What the API tells of a changed appointment."""
    return {
        "type": "appointment.updated",
        "timestamp": "2026-06-01T07:45:12.345678Z",
        "data": {
            "appointment_id": f"a_{name}",
            "organization_id": "o_5f2b",
            "location_id": "l_berlin",
            "service_id": "s_massage_60",
            "staff_id": "t_8812",
            "resource_id": None,
            "appointment_time": "2026-06-03T14:30:00+02:00",
            "appointment_duration": 60,
            "status": "confirmed",
            "contact_name": "Ada Example",
            "contact_email": "ada@example.com",
            "contact_phone": "+49 30 1234567",
            "notes": "Second visit.",
            "price": {"amount": "79.00", "currency": "EUR"},
            "created_at": "2026-05-28T09:12:45.000000Z",
            "updated_at": "2026-06-01T07:45:12.000000Z",
        },
    }


@dataclass
class Load:
    """What was sent and how it was answered.

    Args:
        host: the server's host and port.
        label: the events' ids begin with it.
        acknowledged: ids of events answered 202.
        delays: seconds from sending to the answer, of those.
        others: answers that were something else.
    """

    host: str
    label: str
    acknowledged: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    others: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._numbers = count()

    async def send(self, connection: Connection, since: float | None = None) -> bool:
        """Send one event; false when the connection has ended."""
        name = f"{self.label}_{next(self._numbers)}"
        content = request(name, self.host)
        began = since or time.perf_counter()
        status = await connection.post(content)
        if status == ACCEPTED:
            self.delays.append(time.perf_counter() - began)
            self.acknowledged.append(name)
        else:
            self.others += 1
        return status is not None

    def summary(self) -> dict[str, Any]:
        """Events a second, and the acknowledgements' delays in milliseconds."""
        cuts = statistics.quantiles(self.delays, n=100)
        return {
            "events": len(self.acknowledged),
            "other_answers": self.others,
            "events_per_s": len(self.acknowledged) / self.seconds,
            "p50_ms": cuts[49] * 1000,
            "p99_ms": cuts[98] * 1000,
        }


async def connections(host: str, number: int) -> list[Connection]:
    """So many open connections."""
    loop, (name, _, port) = asyncio.get_running_loop(), host.partition(":")
    made = [await loop.create_connection(Connection, name, int(port)) for _ in range(number)]
    return [connection for _, connection in made]


async def full_speed(load: Load, number: int, seconds: float) -> None:
    """Each connection sends its next event when the last one was answered."""

    async def keep_sending(connection: Connection) -> None:
        while time.perf_counter() < until and await load.send(connection):
            pass

    opened = await connections(load.host, number)
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(keep_sending(each) for each in opened))
    load.seconds = time.perf_counter() - began


async def steady(load: Load, number: int, seconds: float, pace: float) -> None:
    """Send at a pace, whatever the answers; delays count from when an event was due."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for each in await connections(load.host, number):
        free.put_nowait(each)

    async def one(due: float) -> None:
        connection = await free.get()
        await load.send(connection, due)
        free.put_nowait(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for position in range(int(seconds * pace)):
            due = began + position / pace
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            tasks.create_task(one(due))
    load.seconds = time.perf_counter() - began


def run(work: Awaitable[None]) -> None:
    """Run it on an event loop like the server's."""

    async def main() -> None:
        await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def killed(folder: Path, number: int, seconds: float) -> dict[str, int]:
    """Kill the server in the midst of a load; how many events were acknowledged, and lost."""
    with server(folder) as (address, process):
        load = Load(urlsplit(address).netloc, "killed")
        timer = threading.Timer(seconds / 2, process.send_signal, [signal.SIGKILL])
        timer.start()
        run(full_speed(load, number, seconds))
        timer.join()
    stored = _stored(folder)
    missing = [name for name in load.acknowledged if name not in stored]
    return {"acknowledged": len(load.acknowledged), "missing": len(missing)}


def _stored(folder: Path) -> set[str]:
    """Ids of the events in the state, opened as the daemon does after a crash."""
    from zimun_sync.store import Store

    Store.open(f"sqlite:///{STATE}", folder).close()
    connection = sqlite3.connect(folder / STATE)
    try:
        return {name for (name,) in connection.execute("SELECT event_id FROM inbox")}
    finally:
        connection.close()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All three parts."""
    with server(folder) as (address, _):
        host = urlsplit(address).netloc
        warm, fast, paced = Load(host, "warm"), Load(host, "fast"), Load(host, "paced")
        run(full_speed(warm, options.connections, 1.0))
        run(full_speed(fast, options.connections, options.seconds))
        run(steady(paced, options.connections, options.seconds, options.pace))
    stored = _stored(folder)
    sent = [*warm.acknowledged, *fast.acknowledged, *paced.acknowledged]
    if not stored.issuperset(sent):
        sys.exit("Acknowledged events are not in the inbox.")
    return {
        "full speed": fast.summary(),
        f"{options.pace:g}/s": paced.summary(),
        "kill -9": killed(folder, options.connections, options.seconds),
    }


def _report(results: dict[str, Any], connections: int) -> str:
    kill = results["kill -9"]
    lines = [
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {connections} connections\n",
        "| load | events/s | p50, ms | p99, ms |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {each['events_per_s']:,.0f} | {each['p50_ms']:.1f} | {each['p99_ms']:.1f} |"
        for name, each in results.items()
        if each is not kill
    ]
    lines.append(
        f"\nkill -9 under load: {kill['acknowledged']:,} events acknowledged, "
        f"{kill['missing']} of them missing afterwards"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table; details go to bench/out/intake.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each part")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pace", type=float, default=500.0, help="events/s of the second part")
    parser.add_argument("--folder", type=Path, help="where the state goes; its disk counts")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve)
        return
    folder = Path(tempfile.mkdtemp(prefix="zimun-bench-", dir=options.folder))
    try:
        results = measure(options, folder)
    finally:
        shutil.rmtree(folder)
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    (out / "intake.json").write_text(json.dumps(results, indent=2))
    print(_report(results, options.connections))
    if results["kill -9"]["missing"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
