"""The page on writing a connector shows the example as it is, and the example passes the kit."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "connectors" / "write-a-connector.md"
_EXAMPLE = _ROOT / "examples" / "connector-jsonl"
_FILES = ("pyproject.toml", "src/zimun_jsonl.py", "tests/test_zimun_jsonl.py")
_PROGRAM = Path(sys.executable).with_name("zimun-sync")
_PYTEST = (sys.executable, "-m", "pytest", "-q", "-W", "error")
_BLOCK = re.compile(r"^`([\w./-]+)`[^\n]*:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `PYTHONPATH` with what installing the example would put there."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((_EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(_EXAMPLE / "src", folder, dirs_exist_ok=True)
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(about)
    points = [f"[{group}]\n{_lines(each)}" for group, each in project["entry-points"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(points))
    return folder


def _lines(points: dict[str, str]) -> str:
    return "".join(f"{name} = {target}\n" for name, target in points.items())


def _run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "200"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_passes_the_kit(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(_EXAMPLE / "tests", tmp_path / "tests")
    report = tmp_path / "report.xml"
    done = _run(installed, tmp_path, *_PYTEST, f"--junitxml={report}")
    assert done.returncode == 0, done.stdout
    cases = {case.attrib["name"] for case in ET.parse(report).iter("testcase")}
    assert "test_zz_every_check_was_made" in cases


def test_the_installed_example_is_found(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, tmp_path, str(_PROGRAM), "connectors")
    assert "jsonl" in done.stdout, done.stderr
    assert "every change as a line of one file" in done.stdout


def test_the_installed_example_can_be_configured(installed: Path, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from zimun_sync.sinks import connector;"
        "found = connector('jsonl');"
        "settings = found.settings.model_validate({'type': 'jsonl', 'path': 'a.jsonl'});"
        "print(type(found.build(settings, Path.cwd())).__name__)"
    )
    done = _run(installed, tmp_path, sys.executable, "-c", script)
    assert done.stdout.strip() == "JsonlSink", done.stderr


def test_the_page_shows_the_example_as_it_is() -> None:
    shown = dict(_BLOCK.findall(_PAGE.read_text()))
    assert shown == {name: (_EXAMPLE / name).read_text() for name in _FILES}


def test_the_example_is_short() -> None:
    lines = [(_EXAMPLE / name).read_text().splitlines() for name in _FILES]
    assert sum(map(len, lines)) < 100
