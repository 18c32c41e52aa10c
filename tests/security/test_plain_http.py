"""Encryption is never off without being said each time."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from zimun_sync.config import load
from zimun_sync.errors import ConfigError

SOURCE = {"client_id": "id", "client_secret": "s3cret"}
DAV = {"type": "caldav", "username": "ada", "password": "s3cret", "start_from": "all"}


def warnings(folder: Path, **given: Any) -> list[str]:
    file = folder / "zimun-sync.yaml"
    sinks = {"files": {"type": "csv", "path": "csv"}}
    file.write_text(yaml.safe_dump({"sources": {"main": SOURCE}, "sinks": sinks} | given))
    file.chmod(0o600)
    return list(load(file, {}).warnings)


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("sources.main", {"sources": {"main": SOURCE | {"base_url": "http://zimun.example/v1"}}}),
        ("sinks.desk", {"sinks": {"desk": DAV | {"url": "http://dav.example/ada/"}}}),
    ],
)
def test_plain_http_to_another_machine_is_refused_or_said(
    tmp_path: Path, place: str, given: dict[str, dict[str, dict[str, Any]]]
) -> None:
    with pytest.raises(ConfigError, match="allow_plain_http"):
        warnings(tmp_path, **given)
    for section in given.values():
        for each in section.values():
            each["allow_plain_http"] = True
    (said,) = warnings(tmp_path, **given)
    assert said.startswith(f"{place}: allow_plain_http is on")
    assert "unencrypted" in said


def test_where_nothing_travels_nothing_is_said(tmp_path: Path) -> None:
    loopback = SOURCE | {"base_url": "http://127.0.0.1:8765/v1", "allow_plain_http": True}
    encrypted = SOURCE | {"allow_plain_http": True}
    assert warnings(tmp_path, sources={"main": loopback, "other": encrypted}) == []
