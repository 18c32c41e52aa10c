"""The schema, the example, the starter, the page and `config show` agree with the models."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from zimun_sync.config import Config, load, schema, show, starter
from zimun_sync.config.document import EXAMPLE_FILE, PAGE_FILE, SCHEMA_FILE, example, main, page
from zimun_sync.config.document import schema_text as generated_schema
from zimun_sync.config.models import FileSettings, SourceSettings
from zimun_sync.config.settings_list import settings_of
from zimun_sync.sinks import connectors
from zimun_sync.zimun.settings import ListedName

ROOT = Path(__file__).parents[2]
CREDENTIALS = {"ZIMUN_CLIENT_ID": "an-id", "ZIMUN_CLIENT_SECRET": "a-secret"}
REMEDY = "run `python -m zimun_sync.config.document` at the project's root"

Load = Callable[..., Config]


def errors(text: str, types: list[str] | None = None) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema(types or ["csv", "duckdb"]))
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


# -- what is generated is up to date --------------------------------------------------------


def test_the_schema_file_is_up_to_date() -> None:
    assert (ROOT / SCHEMA_FILE).read_text() == generated_schema(), REMEDY


def test_the_example_is_up_to_date() -> None:
    assert (ROOT / EXAMPLE_FILE).read_text() == example(), REMEDY


def test_the_page_is_up_to_date() -> None:
    present = (ROOT / PAGE_FILE).read_text()
    assert page(present) == present, REMEDY


def test_every_setting_is_on_the_page_and_in_the_example() -> None:
    shown = (ROOT / PAGE_FILE).read_text()
    for setting in settings_of(SourceSettings):
        assert f"| `{setting.name}" in shown
        assert f"{setting.name}:" in example()


def test_the_command_writes_all_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in (SCHEMA_FILE, PAGE_FILE):
        file.parent.mkdir()
    present = (ROOT / PAGE_FILE).read_text()
    PAGE_FILE.write_text(present.replace("| `page_size`", "| `page_sise`"))

    main()

    for file in (SCHEMA_FILE, EXAMPLE_FILE, PAGE_FILE):
        assert file.read_text() == (ROOT / file).read_text()


# -- the example and the starter ------------------------------------------------------------


def test_the_example_loads_and_says_only_the_defaults() -> None:
    config = load(ROOT / EXAMPLE_FILE, CREDENTIALS)
    plain = SourceSettings.model_validate({"client_id": "an-id", "client_secret": "a-secret"})

    assert config.sources["main"] == plain
    assert config.state == FileSettings.model_fields["state"].default
    for sink in config.sinks.values():
        path = sink.settings.model_dump()["path"]
        assert sink.settings == sink.connector.settings.model_validate({"path": path})


def test_the_example_is_valid_by_its_schema() -> None:
    assert errors(example()) == []


def test_the_starter_loads_once_the_credentials_are_set(tmp_path: Path) -> None:
    file = tmp_path / "zimun-sync.yaml"
    file.write_text(starter())

    config = load(file, CREDENTIALS)

    assert config.warnings == ()
    assert set(config.sinks) == {"analytics", "files"}
    assert errors(starter()) == []


# -- the schema -----------------------------------------------------------------------------

GOOD = "sources: {main: {client_id: a, client_secret: b}}\n"


@pytest.mark.parametrize(
    "addition",
    [
        "state: sqlite:///x.db",
        "state_file: url",
        "log: {level: '${LEVEL:-info}', format_file: f}",
        "sync: {sink_patience: 5}",
        "sinks: {a: {type: csv, path: var/csv}, b: {type: duckdb, path: x, threads: '${T}'}}",
    ],
)
def test_what_loads_is_valid(addition: str) -> None:
    assert errors(GOOD + addition) == []


@pytest.mark.parametrize(
    "source",
    [
        "{client_id_file: a, client_secret_file: b}",
        "{client_id: a, client_secret: b, page_size: 5}",
    ],
)
def test_sources_that_load_are_valid(source: str) -> None:
    assert errors(f"sources: {{main: {source}}}") == []


@pytest.mark.parametrize(
    "text",
    [
        "state: sqlite:///x.db",
        "sources: {}",
        "sources: {main: {client_id: a}}",
        "sources: {Main: {client_id: a, client_secret: b}}",
        "sources: {main: {client_id: a, client_secret: b, page_sze: 5}}",
        "sources: {main: {client_id: a, client_secret: b, page_size: none}}",
        "sources: {main: {client_id: a, client_secret: b, fields: {appointments: {note: x}}}}",
        f"{GOOD}sinks: {{a: {{path: x}}}}",
        f"{GOOD}sinks: {{a: {{type: dukdb}}}}",
        f"{GOOD}sinks: {{a: {{type: duckdb}}}}",
        f"{GOOD}sinks: {{a: {{type: duckdb, path: x, pth: y}}}}",
        f"{GOOD}sinks: {{a: {{type: duckdb, path: x, type_file: y}}}}",
        f"{GOOD}log: {{level: loud}}",
    ],
)
def test_what_an_editor_should_underline(text: str) -> None:
    assert errors(text)


def test_the_schema_knows_every_installed_connector(crm: None) -> None:
    installed: Any = schema(set(connectors()) - {"test-broken"})

    jsonschema.Draft202012Validator.check_schema(installed)
    assert installed["$defs"]["test-crm"]["properties"]["schema"]["default"] == "public"
    assert (
        errors(f"{GOOD}sinks: {{a: {{type: test-crm, api_key: k, schema: s}}}}", ["test-crm"]) == []
    )
    assert json.loads(json.dumps(installed)) == installed


# -- config show ----------------------------------------------------------------------------


def test_what_is_shown_loads_again_to_the_same_settings(configured: Load, crm: None) -> None:
    config = configured(
        """\
        sources:
          main: {client_id: 'a$$b${X:-c}', client_secret: '**********', fields: {staff: {phone: m}}}
        sinks:
          desk: {type: test-crm, api_key: '**********', schema: s, lists: [a, "5", "no"]}
        log: {level: error}
        """
    )

    again = configured(show(config))

    assert again == config
    assert again.sources["main"].client_id == "a$bc"


def test_show_names_every_setting(configured: Load) -> None:
    shown = yaml.safe_load(show(configured(GOOD)))

    assert set(shown) == {setting.name for setting in settings_of(FileSettings)}
    assert shown["sources"]["main"]["streams"] == list(get_args(ListedName))
    assert shown["sources"]["main"]["client_secret"] == "**********"


# -- weight ---------------------------------------------------------------------------------


def test_loading_imports_no_connector_that_is_not_configured(tmp_path: Path) -> None:
    file = tmp_path / "zimun-sync.yaml"
    file.write_text(GOOD)
    program = (
        "import sys; from pathlib import Path; from zimun_sync.config import load; "
        f"load(Path({str(file)!r}), {{}}); "
        "print(*sorted({'duckdb', 'pandas', 'pyarrow', 'sqlalchemy'} & set(sys.modules)))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stdout.strip() == ""
