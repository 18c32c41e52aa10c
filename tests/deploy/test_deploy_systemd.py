"""deploy/zimun-sync.service against what the daemon does, and as systemd reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import read
from zimun_sync.config.serving import ServerSettings
from zimun_sync.errors import ConfigError
from zimun_sync.store import LEASE_SECONDS

UNIT = read("deploy/zimun-sync.service")
SETTINGS = dict(re.findall(r"^(\w+)=(.*)$", UNIT, flags=re.MULTILINE))


def test_it_tells_systemd_how_it_is() -> None:
    assert SETTINGS["Type"] == "notify"
    assert int(SETTINGS["WatchdogSec"]) > 0
    assert SETTINGS["ExecReload"].endswith("kill -HUP $MAINPID")


def test_it_may_drain_before_it_is_killed() -> None:
    assert int(SETTINGS["TimeoutStopSec"]) > ServerSettings().drain_seconds


def test_it_sits_out_the_lease_of_another_machine() -> None:
    words = SETTINGS["ExecStart"].split()
    assert int(words[words.index("--wait") + 1]) > LEASE_SECONDS
    assert SETTINGS["TimeoutStartSec"] == "15min"


def test_a_wrong_configuration_is_not_tried_again_and_again() -> None:
    assert SETTINGS["RestartPreventExitStatus"] == str(ConfigError.exit_code)
    assert SETTINGS["Restart"] == "on-failure"


def test_it_runs_as_nobody_special_and_writes_to_one_folder() -> None:
    assert SETTINGS["User"] == "zimun-sync"
    assert SETTINGS["CapabilityBoundingSet"] == ""
    assert (SETTINGS["NoNewPrivileges"], SETTINGS["ProtectSystem"]) == ("yes", "strict")
    assert SETTINGS["StateDirectory"] == Path(SETTINGS["WorkingDirectory"]).name
    assert "u zimun-sync " in read("deploy/zimun-sync.sysusers")


def test_its_secret_comes_as_a_credential() -> None:
    name, _, path = SETTINGS["LoadCredential"].partition(":")
    assert path == "/etc/zimun-sync/client_secret"
    assert f"CLIENT_SECRET_FILE=%d/{name}" in SETTINGS["Environment"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    unit = tmp_path / "zimun-sync.service"
    program = SETTINGS["ExecStart"].split()[0]
    unit.write_text(UNIT.replace(program, "/bin/true"))  # it looks whether the program is there
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
