"""The page on writing a connector does what it says: its example passes the contract kit."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

_PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "write-a-connector.md"
_BLOCK = re.compile(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _files() -> dict[str, str]:
    return dict(_BLOCK.findall(_PAGE.read_text()))


def test_the_example_passes_the_kit(tmp_path: Path) -> None:
    for name, text in _files().items():
        (tmp_path / name).write_text(text)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", f"--junitxml={report}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    cases = {case.attrib["name"] for case in ET.parse(report).iter("testcase")}
    assert "test_zz_every_check_was_made" in cases


def test_the_entry_point_names_the_example() -> None:
    files = _files()
    project = tomllib.loads(files["pyproject.toml"])["project"]
    module, name = project["entry-points"]["zimun_sync.connectors"]["sqlite"].split(":")
    assert f"\n{name} = Connector(" in files[f"{module}.py"]


def test_the_example_is_short() -> None:
    assert len(_files()["zimun_sqlite.py"].splitlines()) < 100
