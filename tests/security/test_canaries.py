"""Secrets and personal data are planted, everything goes wrong, and nothing shows them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.acceptance.asking import HTTP
from tests.acceptance.daemon import Daemon, until
from tests.acceptance.program import Ended, Project
from tests.remotes.loopback import Loopback, Reply, Seen, unused_address
from tests.security import canaries
from tests.security.canaries import PERSON, SECRETS, leaks, leaks_of
from tests.thorough import THOROUGH
from zimun_sync.normalize import Place, Places, Rules
from zimun_sync.normalize.process import NormalizerProcess, Setup
from zimun_sync.sandbox import Sandbox, SandboxOptions, read_fault

pytestmark = pytest.mark.acceptance

TOKEN = SECRETS["sink token"]
FAULTS = [
    "revoke-token:page=1,on=2",
    "503:stream=services",
    "truncate:stream=staff",
    "html:stream=resources",
]
COMMANDS: list[list[str]] = [
    ["check"],
    ["sinks", "activate", "crm", "--yes"],
    ["quarantine", "list", "--json"],
    ["state", "backup", "copy.db"],
]
if THOROUGH:
    COMMANDS += [
        ["status"],
        ["status", "--json"],
        ["config", "show"],
        ["sync", "--json"],
        ["runs"],
        ["fields"],
        ["sinks", "list"],
        ["sinks", "show", "crm"],
        ["sinks", "show", "talkative"],
        ["quarantine", "list"],
        ["state", "info"],
        ["webhooks", "list"],
    ]
#: Where a person's data is what was asked for.
SHOWING: list[list[str]] = [["quarantine", "show", "1"]]


class Parrot(Loopback):
    """Answers an error that repeats all it was sent, headers and body."""

    def next(self) -> Reply:
        seen = self.seen[-1]
        return Reply(
            400, json.dumps({"message": _repeated(seen), "detail": _repeated(seen)}).encode()
        )


def _repeated(seen: Seen) -> str:
    return f"{seen.path} {dict(seen.headers)} {seen.body.decode(errors='replace')}"


@dataclass
class Evidence:
    """All that the program showed to anybody."""

    project: Project
    parrot: Parrot
    texts: dict[str, str] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    processes: dict[str, str] = field(default_factory=dict)
    environments: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    log: str = ""


def _install(folder: Path) -> None:
    """What installing a package with the connector would put there."""
    about = folder / "talkative-1.dist-info"
    about.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("canary_connector.py"), folder / "talkative.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: talkative\nVersion: 1\n")
    points = "[zimun_sync.connectors]\ntalkative = talkative:connector\n"
    (about / "entry_points.txt").write_text(points)


def _configure(project: Project, address: str) -> None:
    project.source["webhook_secrets"] = [SECRETS["webhook secret"]]
    project.sinks["columns"] = {"type": "parquet", "path": "var/parquet"}
    password = SECRETS["database password"].replace("@", "%40")
    url = f"postgresql://zimun:{password}@{unused_address()}/bookings?connect_timeout=1"
    project.sinks["database"] = {"type": "postgres", "url": url}
    project.sinks["talkative"] = {"type": "talkative", "token": TOKEN}
    project.sinks["crm"] = {
        "type": "hubspot",
        "token": TOKEN,
        "base_url": f"http://{address}",
        "allow_private": True,
        "start_from": "all",
    }
    project.settings["hooks"] = {
        "told": {
            "on": ["started", "succeeded", "partial", "failed", "trouble"],
            "url": f"http://{address}/{SECRETS['hook path']}",
            "headers": {"Authorization": "Bearer ${HOOK_HEADER}"},
            "allow_private": True,
        }
    }
    project.settings["server"] = {"port": 0}
    project.settings["schedule"] = {"jitter": 0}
    project.settings["sync"] = {"sink_patience": 0.5}
    project.settings["log"] = {"format": "json", "level": "debug"}
    project.save()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    folder = tmp_path_factory.mktemp("canaries")
    _install(folder / "site")
    parrot = Parrot()
    options = SandboxOptions(appointments=40, client_secret=SECRETS["client secret"])
    with Sandbox(options) as sandbox:
        _plant(sandbox)
        project = Project(folder / "project", sandbox.base_url, SECRETS["client secret"])
        _configure(project, parrot.address)
        found = Evidence(project, parrot)
        _go_through(found, sandbox, folder)
        yield found
    parrot.close()


def _plant(sandbox: Sandbox) -> None:
    records = {
        "a_good": canaries.record("a_good"),
        "a_bad_time": canaries.record("a_bad_time", appointment_time=PERSON["notes"]),
        "a_bad_status": canaries.record(
            "a_bad_status", appointment_duration=PERSON["contact_name"]
        ),
        "a_odd_phone": canaries.record("a_odd_phone", contact_phone=PERSON["contact_name"]),
        "a_list": [PERSON],
    }
    for key, each in records.items():
        sandbox.world.put_appointment(key, json.dumps(each).encode())
    for fault in FAULTS:
        sandbox.faults.order(read_fault(fault))


def _go_through(found: Evidence, sandbox: Sandbox, folder: Path) -> None:
    """Run the daemon and every command, as a careless user with umask 0 would."""
    project, temporary = found.project, folder / "tmp"
    temporary.mkdir()
    environment = {
        "PYTHONPATH": str(folder / "site"),
        "HOOK_HEADER": SECRETS["hook header"],
        "TMPDIR": str(temporary),
        "HOME": str(temporary),
    }
    log = folder / "serve.log"
    with (
        log.open("wb") as stream,
        project.started(
            "serve", environment=environment, umask=0, stdout=stream, stderr=stream
        ) as process,
    ):
        address = until(lambda: _address(log), "the daemon tells its address")
        daemon = Daemon(project, process, address, SECRETS["webhook secret"])
        _watch(found, daemon, log)
        sandbox.world.put_appointment("a_sent", json.dumps(canaries.record("a_sent")).encode())
        _send_events(daemon)
        until(lambda: "events_applied" in log.read_text(), "the events are applied")
        for path in ("status", "metrics", "livez", "readyz", "nowhere"):
            found.texts[f"/{path}"] = HTTP.get(f"{address}/{path}").text
        found.modes = canaries.modes_below(project.folder)
        for command in COMMANDS + SHOWING:
            ended = project.run(*command, environment=environment, umask=0)
            found.ended[" ".join(command)] = ended
        process.terminate()
        process.wait(60)
    found.log = log.read_text()
    broken = dict(project.settings, state=f"postgresql://zimun:{SECRETS['database password']}@[")
    project.settings = broken
    project.save()
    found.ended["a broken configuration"] = project.run("check", environment=environment)


def _watch(found: Evidence, daemon: Daemon, log: Path) -> None:
    """Look at the processes until everything has gone wrong that should."""

    def seen() -> bool:
        found.processes |= canaries.command_lines(daemon.process.pid)
        found.environments |= canaries.inherited(daemon.process.pid)
        text = log.read_text()
        return all(f'"event": "{word}"' in text for word in TROUBLES)

    until(seen, "everything goes wrong")


#: Events of the log that tell what went wrong.
TROUBLES = (
    "request_retried",
    "run_finished",
    "connector_failed",
    "uncaught",
    "hook_failed",
    "sink_waiting",
    "pull_finished",
)


def _send_events(daemon: Daemon) -> None:
    data = canaries.record("a_sent")
    event = {"type": "appointment.created", "timestamp": "2026-11-01T00:00:00Z", "data": data}
    good = json.dumps(event).encode()
    odd = json.dumps({**event, "type": PERSON["contact_name"], "data": [PERSON]}).encode()
    assert daemon.send(good, event_id="e1").status_code == 202
    assert daemon.send(odd, event_id="e2").status_code == 202
    assert daemon.send(repr(PERSON).encode(), event_id="e3").status_code == 202
    forged = daemon.send(good, event_id=PERSON["contact_email"], secret="whsec_" + "QUFB" * 12)
    assert (forged.status_code, leaks(forged.text)) == (401, [])


def _address(log: Path) -> str:
    for line in log.read_text().splitlines():
        if line.startswith("{") and (event := json.loads(line))["event"] == "daemon_started":
            return str(event["address"])
    return ""


# -- what was planted is there, and what should go wrong did ------------------------------------


def test_the_sinks_have_what_was_planted(evidence: Evidence) -> None:
    """Else not finding it elsewhere would mean nothing."""
    with duckdb.connect(evidence.project.database, read_only=True) as connection:
        columns = ", ".join(PERSON)
        query = f"SELECT {columns} FROM appointments WHERE appointment_id IN ('a_good', 'a_sent')"
        assert connection.execute(query).fetchall() == [tuple(PERSON.values())] * 2
    csv = (evidence.project.csv / "appointments.csv").read_text()
    assert PERSON["contact_name"] in csv
    (shown,) = (evidence.ended[" ".join(each)] for each in SHOWING)
    assert PERSON["contact_name"] in shown.out


def test_the_parrot_heard_every_secret_that_goes_out(evidence: Evidence) -> None:
    heard = "".join(map(_repeated, evidence.parrot.seen))
    assert {"sink token", "hook path", "hook header"} <= set(leaks(heard))


def test_everything_went_wrong(evidence: Evidence) -> None:
    events = [json.loads(line) for line in evidence.log.splitlines() if line.startswith("{")]
    assert set(TROUBLES) <= {event["event"] for event in events}
    assert {"debug", "info", "warning", "error", "critical"} <= {each["level"] for each in events}
    uncaught = next(each for each in events if each["event"] == "uncaught")
    assert "RuntimeError: Authorization" in uncaught["exception"]
    assert "Traceback (most recent call last)" in uncaught["exception"]
    codes = {name: ended.code for name, ended in evidence.ended.items()}
    assert codes["state backup copy.db"] == 0
    assert codes["a broken configuration"] == 1
    said = evidence.ended["a broken configuration"]
    assert "zimun:***@" in said.out + said.err
    assert "Traceback" not in "".join(each.err for each in evidence.ended.values())


# -- and nothing shows it -----------------------------------------------------------------------


def test_no_log_line_and_no_traceback_shows_a_canary(evidence: Evidence) -> None:
    assert leaks_of({line[:80]: line for line in evidence.log.splitlines()}) == {}


def test_no_answer_of_the_daemon_shows_a_canary(evidence: Evidence) -> None:
    assert leaks_of(evidence.texts) == {}


def test_no_command_shows_a_canary(evidence: Evidence) -> None:
    showing = [" ".join(each) for each in SHOWING]
    texts = {
        name: ended.out + ended.err for name, ended in evidence.ended.items() if name not in showing
    }
    assert len(texts) > len(COMMANDS)
    assert leaks_of(texts) == {}


def test_the_process_list_shows_no_canary(evidence: Evidence) -> None:
    assert any("serve" in each for each in evidence.processes.values())
    assert leaks_of(evidence.processes) == {}


def test_children_inherit_no_secret(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaks_of(evidence.environments) == {}
    monkeypatch.setenv("HOOK_HEADER", SECRETS["hook header"])
    with NormalizerProcess(
        Setup("services", Rules({}, {}), Places(Place("UTC", "DE"), {}))
    ) as child:
        assert child.normalize([b"{}"]).refused
        given = canaries.inherited(os.getpid())
        assert any("PATH=" in each for each in given.values())
        assert leaks_of(given) == {}


def test_no_access_token_is_shown_anywhere(evidence: Evidence) -> None:
    shown = [
        evidence.log,
        *evidence.texts.values(),
        *(each.out + each.err for each in evidence.ended.values()),
    ]
    assert not [text for text in shown if "zt_" in text]


def test_no_file_that_everybody_may_read_holds_a_canary(evidence: Evidence) -> None:
    root = evidence.project.folder.parent
    readable = canaries.world_readable(evidence.project.folder) | canaries.world_readable(
        root / "tmp"
    )
    assert leaks_of(readable) == {}


def test_private_files_are_the_owner_s_alone_whatever_the_umask(evidence: Evidence) -> None:
    """Those of the running daemon, with umask 0; published files have the mode of `publish`."""
    modes = evidence.modes
    for name in ("var/state.db", "var/state.db-wal", "var/state.db-shm", "copy.db"):
        assert modes.get(name, 0o600) == 0o600, name
    assert {"var/state.db", "var/state.db-wal"} <= modes.keys()
    for folder in ("var/zimun.data/private", "var/csv/.zimun", "var/parquet/.zimun"):
        assert modes[folder] == 0o700
    beside = {name: mode for name, mode in modes.items() if "/.zimun/" not in name}
    beside = {name: mode for name, mode in beside.items() if "/private/" not in name}
    assert set(beside.values()) <= {0o600, 0o640, 0o700, 0o750, 0o755}
    assert {name for name, mode in beside.items() if mode == 0o755} <= {"var"}
    assert {name.rpartition("/")[2] for name in modes if "lock" in name} >= {".lock", "lock"}
    locks = [mode for name, mode in modes.items() if name.endswith("lock")]
    assert set(locks) == {0o600}


def test_the_spy_sees_what_is_there() -> None:
    """The search itself finds each canary in each of its spellings."""
    for name, word in canaries.words().items():
        assert name in leaks(f"before{word}after"), name
    waiting = [sys.executable, "-c", "print('here', flush=True); input()", "an-argument"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # before, the process list may show it without a name
        found: Any = canaries.command_lines(os.getpid())
        child.communicate(b"go on\n")
    assert "an-argument" in "".join(found.values())
