"""Credentials that permit more than is done with them are told of."""

from pathlib import Path

import pytest
import yaml

from zimun_sync.checking import check_all
from zimun_sync.config import load
from zimun_sync.sandbox import Sandbox, SandboxOptions

READ = ("org:read", "availability:read", "appointments:read")


@pytest.mark.parametrize(
    ("scopes", "settings", "told"),
    [
        ((*READ, "appointments:write"), {}, True),
        ((*READ, "appointments:write"), {"scopes": list(READ)}, False),
        ((*READ, "appointments:write"), {"webhook_secrets": ["whsec_" + "QUFB" * 12]}, False),
        (READ, {}, False),
    ],
)
def test_write_access_that_nothing_needs_is_told(
    tmp_path: Path, scopes: tuple[str, ...], settings: dict[str, object], told: bool
) -> None:
    with Sandbox(SandboxOptions(appointments=1, scopes=scopes)) as sandbox:
        source = {
            "base_url": sandbox.base_url,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
            "streams": ["organization"],
            **settings,
        }
        file = tmp_path / "zimun-sync.yaml"
        file.write_text(yaml.safe_dump({"sources": {"main": source}}))
        file.chmod(0o600)
        found = [each for each in check_all(load(file, {})) if each.what == "source main: scopes"]
    assert bool(found) is told
    assert all(each.verdict == "note" and "appointments:write" in each.message for each in found)
