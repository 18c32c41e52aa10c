"""A right configuration: what its settings become and where it is looked for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from zimun_sync.config import Config, load, loading
from zimun_sync.errors import ConfigError
from zimun_sync.zimun.settings import ListedName

Load = Callable[..., Config]
Write = Callable[[str], Path]

_NOBODY = 65534

MINIMAL = """\
sources:
  main: {client_id: id, client_secret: s3cr3t-value}
"""


def test_the_shape_of_the_documentation_loads(configured: Load, crm: None) -> None:
    config = configured(
        """\
        state: sqlite:///var/other.db
        sources:
          main: {base_url: https://api.zimun.online/api/v1, client_id: "${ZIMUN_CLIENT_ID}",
                 client_secret: "${ZIMUN_CLIENT_SECRET}", page_size: 50}
        sinks:
          front-desk: {type: test-crm, api_key: k, limits: {per_second: 2}}
        sync: {sink_patience: 5}
        log: {level: debug, format: json}
        """,
        {"ZIMUN_CLIENT_ID": "an-id", "ZIMUN_CLIENT_SECRET": "a-secret"},
    )

    source, sink = config.sources["main"], config.sinks["front-desk"]
    assert config.state == "sqlite:///var/other.db"
    assert (source.client_id, source.page_size) == ("an-id", 50)
    assert source.client_secret.get_secret_value() == "a-secret"
    assert (sink.name, sink.connector.name) == ("front-desk", "test-crm")
    assert sink.settings.model_dump()["limits"]["per_second"] == 2.0
    assert config.sync.sink_patience == 5
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.warnings == ()


def test_what_is_left_out_has_its_default(configured: Load) -> None:
    config = configured(MINIMAL)

    source = config.sources["main"]
    assert config.state == "sqlite:///var/state.db"
    assert source.base_url == "https://api.zimun.online/api/v1"
    assert source.token_address == "https://api.zimun.online/oauth/token"
    assert source.streams == get_args(ListedName)
    assert (source.availability_days, source.availability_by_staff) == (14, True)
    assert source.rules.fields == {}
    assert config.sync.sink_patience == 60
    assert (config.log.level, config.log.format) == ("info", "auto")


def test_sections_that_hold_only_comments_are_empty(configured: Load) -> None:
    config = configured(MINIMAL + "sync:\n  # sink_patience: 1\nlog:\nsinks:\n")

    assert config.sync.sink_patience == 60
    assert config.sinks == {}


def test_file_and_folder_are_absolute(configured: Load, tmp_path: Path) -> None:
    config = configured(MINIMAL)

    assert config.file == tmp_path / "zimun-sync.yaml"
    assert config.folder == tmp_path


def test_rules_for_the_normalizer(configured: Load) -> None:
    config = configured(
        """\
        sources:
          main:
            client_id: id
            client_secret: s3cr3t-value
            fields:
              appointments: {contact_phone: mobile, notes: [remark, comment], price: total}
            statuses: {checked_in: confirmed, "NO": cancelled}
            phone_region: "no"
            streams: [appointments, locations]
        """
    )

    source = config.sources["main"]
    assert source.rules.fields == {
        "appointments": {
            "contact_phone": ("mobile",),
            "notes": ("remark", "comment"),
            "price": ("total",),
        }
    }
    assert source.rules.statuses == {"checked_in": "confirmed", "NO": "cancelled"}
    assert source.rules.phone_region == "NO"
    assert source.streams == ("appointments", "locations")


def test_several_sources_share_settings_through_a_merge_key(configured: Load) -> None:
    config = configured(
        """\
        sources:
          north: &base {client_id: n, client_secret: s3cr3t-value, page_size: 50}
          south: {<<: *base, client_id: s}
        """
    )

    assert list(config.sources) == ["north", "south"]
    assert [source.client_id for source in config.sources.values()] == ["n", "s"]
    assert config.sources["south"].page_size == 50


def test_no_sinks_draws_a_warning(configured: Load) -> None:
    assert configured(MINIMAL).warnings == (
        "zimun-sync.yaml: there are no sinks, so records go nowhere.",
    )


# -- which file -----------------------------------------------------------------------------


def test_the_current_folder_is_searched(write: Write) -> None:
    write(MINIMAL)

    assert load(None, {}).sources["main"].client_id == "id"


def test_the_variable_comes_before_the_current_folder(write: Write, tmp_path: Path) -> None:
    write(MINIMAL)
    other = tmp_path / "other.yaml"
    other.write_text(MINIMAL.replace("id,", "other,"))

    assert load(None, {"ZIMUN_SYNC_CONFIG": str(other)}).sources["main"].client_id == "other"


def test_a_given_path_comes_before_the_variable(write: Write) -> None:
    file = write(MINIMAL)

    assert load(file, {"ZIMUN_SYNC_CONFIG": "/nowhere.yaml"}).file.name == "zimun-sync.yaml"


def test_no_file_at_all_points_to_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"no configuration: neither zimun-sync\.yaml") as caught:
        load(None, {})
    assert "zimun-sync init" in caught.value.hint


def test_a_private_folder_is_told_where_it_would_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/etc/zimun-sync` belongs to the service's user alone."""
    hidden = tmp_path / "etc" / "config.yaml"
    hidden.parent.mkdir(mode=0)
    monkeypatch.setattr(loading, "SEARCHED", (hidden,))
    user = os.geteuid()
    if user == 0:  # whom no folder is closed to
        os.seteuid(_NOBODY)
    try:
        with pytest.raises(
            ConfigError, match=r"config\.yaml: cannot be read: Permission"
        ) as caught:
            load(None, {})
    finally:
        os.seteuid(user)
    assert "may read" in caught.value.hint


def test_a_variable_that_names_no_file_is_not_passed_over(write: Write) -> None:
    write(MINIMAL)

    with pytest.raises(ConfigError, match=r"/nowhere\.yaml: there is no such file"):
        load(None, {"ZIMUN_SYNC_CONFIG": "/nowhere.yaml"})


def test_paths_start_at_the_configuration_wherever_the_command_runs(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    write("sources:\n  main: {client_id: id, client_secret_file: secret}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    config = load(Path("../zimun-sync.yaml"), {})

    assert config.sources["main"].client_secret.get_secret_value() == "from-file"
