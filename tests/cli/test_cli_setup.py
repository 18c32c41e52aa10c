"""`zimun-sync init`, `check`, `config`, `demo` and `--version`."""

import json
import re
from pathlib import Path

import duckdb
import jsonschema
import pytest
import yaml

from tests.acceptance import contents
from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync import __version__
from zimun_sync.sandbox import Sandbox, read_fault


def test_version(cli: Cli) -> None:
    ended = cli("--version")
    assert (ended.code, ended.out) == (0, f"zimun-sync {__version__}\n")


def test_from_init_to_a_sync(
    cli: Cli, project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file.unlink()
    ended = cli("init")
    assert ended.code == 0
    assert "Wrote zimun-sync.yaml." in ended.out
    unset = cli("sync")
    assert (unset.code, unset.out) == (2, "")
    assert "ZIMUN_CLIENT_SECRET is not set" in unset.err

    monkeypatch.setenv("ZIMUN_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("ZIMUN_CLIENT_SECRET", sandbox.client_secret)
    monkeypatch.setenv("ZIMUN_SYNC_SOURCES__MAIN__BASE_URL", sandbox.base_url)
    assert cli("check").code == 0
    assert cli("sync").code == 0
    truth = contents.of_source(sandbox.control_url)
    assert truth["count"] == ROWS
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth


def test_init_overwrites_nothing(cli: Cli, project: Project) -> None:
    before = project.file.read_text()
    ended = cli("init")
    assert ended.code == 2
    assert "zimun-sync.yaml exists already." in ended.err
    assert project.file.read_text() == before
    assert cli("init", "no/such/folder.yaml").code == 2
    assert cli("init", "other.yaml").code == 0
    assert Path("other.yaml").exists()


def test_check_all_good(cli: Cli) -> None:
    ended = cli("check")
    assert (ended.code, ended.err) == (0, "")
    for what in ("source main: appointments", "state", "sink analytics", "sink files"):
        assert f"✓ {what} " in ended.out
    findings = cli("check", "--json").json
    notes = [finding["what"] for finding in findings if finding["verdict"] != "ok"]
    assert notes == ["source main: scopes"]  # the sandbox's client may write too
    assert not Path("var/zimun.duckdb").exists()
    assert not Path("var/csv").exists()


def test_check_tells_what_is_wrong_with_each(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    Path("plain").write_text("a file, not a folder")
    project.sinks["files"]["path"] = "plain/csv"
    project.save()
    sandbox.faults.order(read_fault("403:stream=services"))
    sandbox.faults.order(read_fault("404:stream=resources"))
    ended = cli("check", "--json")
    assert ended.code == 1
    found = {finding["what"]: finding for finding in ended.json}
    bad = {what for what, finding in found.items() if finding["verdict"] == "bad"}
    assert bad == {"source main: services", "sink files"}
    assert found["source main: resources"]["verdict"] == "note"
    assert all(found[what]["message"] and found[what]["hint"] for what in bad)
    shown = cli("check").out
    assert "✗ sink files" in shown
    assert "✓ sink analytics" in shown
    assert "what to do:" in shown


def test_check_asks_when_a_service_is_free(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.source["streams"] = ["services", "holidays", "availability"]
    project.save()
    found = {each["what"]: each for each in cli("check", "--json").json}
    assert found["source main: availability"]["verdict"] == "ok"
    assert found["source main: holidays"]["verdict"] == "ok"

    sandbox.faults.order(read_fault("403:stream=availability,times=0"))
    ended = cli("check", "--json")
    assert ended.code == 0
    found = {each["what"]: each for each in ended.json}
    assert found["source main: availability"]["verdict"] == "note"
    assert "availability:read" in found["source main: availability"]["hint"]


def test_check_with_a_wrong_secret(cli: Cli, project: Project) -> None:
    project.source["client_secret"] = "not-the-secret"
    project.save()
    ended = cli("check")
    assert ended.code == 1
    assert ended.out.count("what to do: Check client_id and client_secret") == 1
    assert "not-the-secret" not in ended.out + ended.err


def test_config_show_masks_secrets(cli: Cli, project: Project) -> None:
    ended = cli("config", "show")
    assert ended.code == 0
    assert "sandbox-secret" not in ended.out
    shown = yaml.safe_load(ended.out)
    assert shown["sources"]["main"]["page_size"] == 10
    assert shown["sources"]["main"]["client_id"] == "zimun-sandbox"
    assert shown["sinks"]["analytics"]["type"] == "duckdb"


def test_config_schema_accepts_the_configuration(cli: Cli, project: Project) -> None:
    schema = json.loads(cli("config", "schema").out)
    jsonschema.validate(project.settings, schema)
    project.source["page_sze"] = 10
    with pytest.raises(jsonschema.ValidationError, match="page_sze"):
        jsonschema.validate(project.settings, schema)


def test_a_file_that_others_can_read_draws_a_warning(cli: Cli, project: Project) -> None:
    project.file.chmod(0o644)
    ended = cli("status")
    assert ended.code == 0
    assert ended.err.startswith("warning: ")


def test_the_demo(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    ended = cli("demo", "--folder", str(folder), "--appointments", "200")
    assert ended.code == 0, ended.err
    assert ended.out.count("Sync succeeded in") == 2
    assert re.search(r"main/appointments +1 +200 +200 +0 +succeeded", ended.out)
    assert re.search(r"main/appointments +1 +200 +5 +0 +succeeded", ended.out)
    assert len(re.findall(r" moved to 20", ended.out)) == 2
    assert len(re.findall(r" cancelled$", ended.out, flags=re.MULTILINE)) == 3
    assert "location" in ended.out
    assert str(folder / "csv") in ended.out
    with duckdb.connect(folder / "zimun.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM appointments").fetchall() == [(200,)]

    again = cli("demo", "--folder", str(folder))
    assert again.code == 2
    assert "is not empty" in again.err
