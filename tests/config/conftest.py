"""Configurations in a temporary folder, and a connector installed as anyone's would be."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from zimun_sync.config import Config, load
from zimun_sync.errors import ConfigError

_CRM_MODULE = """
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from zimun_sync.sinks import Connector


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")
    per_second: float = Field(default=5.0, gt=0)
    burst_key: SecretStr | None = None


class Tags(BaseModel):
    names: list[str] = []


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = "https://crm.example"
    api_key: SecretStr
    spare_keys: list[SecretStr] = []
    lists: list[str] = []
    since: date | None = None
    size: int | Literal["auto"] = "auto"
    limits: Limits = Limits()
    tags: Tags | Literal["none"] = "none"
    schema_: str = Field(default="public", alias="schema")


connector = Connector("test-crm", "A CRM for tests.", Settings, lambda settings, folder: None)
"""
_CRM_POINTS = """
[zimun_sync.connectors]
test-crm = zimun_test_crm:connector
test-broken = zimun_test_crm_without_library:connector
"""

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the connectors `test-crm` and `test-broken` for one test."""
    site = tmp_path / "site"
    info = site / "zimun_test_crm-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zimun-test-crm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_CRM_POINTS)
    (site / "zimun_test_crm.py").write_text(_CRM_MODULE)
    (site / "zimun_test_crm_without_library.py").write_text("import crm_vendor_sdk\n")
    monkeypatch.syspath_prepend(site)
    for module in site.glob("*.py"):
        # Whatever a former test imported under that name came from its own folder.
        monkeypatch.delitem(sys.modules, module.stem, raising=False)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a configuration into the current, temporary folder; gives its relative path."""
    monkeypatch.chdir(tmp_path)

    def writer(text: str) -> Path:
        file = Path("zimun-sync.yaml")
        file.write_text(dedent(text), encoding="utf-8")
        file.chmod(0o600)
        return file

    return writer


@pytest.fixture
def configured(write: Callable[[str], Path]) -> Load:
    """Loads a configuration from its text and the given environment."""

    def loader(text: str, environ: Mapping[str, str] | None = None) -> Config:
        return load(write(text), environ or {})

    return loader


@pytest.fixture
def problems(configured: Load) -> Problems:
    """What the one error says about a wrong configuration, line by line."""

    def teller(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            configured(text, environ)
        assert caught.value.exit_code == 2
        lines = caught.value.message.splitlines()
        return [line.strip() for line in lines[1:]] if len(lines) > 1 else lines

    return teller
