"""Every secret of a configuration is known to the log."""

from pathlib import Path

import yaml

from zimun_sync.config import load, secrets_of


def test_every_secret_setting_is_found_wherever_it_stands(tmp_path: Path) -> None:
    source = {"client_id": "public-id", "client_secret": "source-secret"}
    content = {
        "state": "postgresql://zimun:state%40secret@db.example.org/zimun",
        "sources": {
            "main": source
            | {
                "webhook_secrets": [
                    "whsec_b25lLXNlY3JldC1vZi1tYW55LWJ5dGVz",
                    "whsec_dHdvLXNlY3JldC1vZi1tYW55LWJ5dGVz",
                ]
            },
            "other": source | {"client_secret": "other-secret"},
        },
        "hooks": {
            "bi": {
                "on": ["succeeded"],
                "url": "https://bi.example.org",
                "headers": {"Authorization": "Bearer hook-secret"},
            }
        },
    }
    file = tmp_path / "zimun-sync.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    file.chmod(0o600)
    found = secrets_of(load(file, {}))
    assert set(found) == {
        "source-secret",
        "other-secret",
        "whsec_b25lLXNlY3JldC1vZi1tYW55LWJ5dGVz",
        "whsec_dHdvLXNlY3JldC1vZi1tYW55LWJ5dGVz",
        "Bearer hook-secret",
        "https://bi.example.org",
        "state%40secret",
        "state@secret",
    }
    assert found == sorted(found, key=len, reverse=True)


def test_a_configuration_without_secrets_has_but_the_client_s(tmp_path: Path) -> None:
    file = tmp_path / "zimun-sync.yaml"
    content = {"sources": {"main": {"client_id": "public-id", "client_secret": "the-only-one"}}}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    file.chmod(0o600)
    assert secrets_of(load(file, {})) == ["the-only-one"]
