"""The page on the client is true: its examples run, and it names every setting and error."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from zimun_sync.errors import SourceError
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.zimun import ClientSettings, Page, Paths, refusals

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, object]]:
    with Sandbox(SandboxOptions(appointments=400)) as sandbox:
        yield {
            "BASE_URL": sandbox.base_url,
            "CLIENT_ID": sandbox.client_id,
            "CLIENT_SECRET": sandbox.client_secret,
        }


def test_the_examples_run_one_after_the_other(
    names: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "minutes" in printed
    assert "more" in printed
    assert "GET /appointments/a_that_never_was" in printed


def settings() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in ClientSettings.model_fields.items():
        if name != "paths":
            yield name, field
    for name, field in Paths.model_fields.items():
        yield f"paths.{name}", field


@pytest.mark.parametrize(("name", "field"), list(settings()))
def test_every_setting_is_explained_in_its_own_words(name: str, field: FieldInfo) -> None:
    assert re.search(
        rf"^\| `{name}` \| .* \| {re.escape(field.description or '')} \|$", TEXT, re.MULTILINE
    )


@pytest.mark.parametrize(("name", "field"), list(settings()))
def test_every_default_is_the_real_one(name: str, field: FieldInfo) -> None:
    row = re.search(rf"^\| `{name}` \| `?([^|`]*)", TEXT, re.MULTILINE)
    assert row
    if field.is_required():
        assert row[1].strip() == "required"
    elif name != "user_agent":  # holds the version
        assert yaml.safe_load(row[1]) == TypeAdapter(object).dump_python(field.default, mode="json")


def test_every_error_is_explained() -> None:
    raised = [
        name
        for name, value in vars(refusals).items()
        if isinstance(value, type) and issubclass(value, SourceError) and value is not SourceError
    ]
    assert len(raised) >= 8
    assert [name for name in raised if f"| `{name}` |" not in TEXT] == []


def test_every_part_of_a_page_is_explained() -> None:
    for name in Page.__struct_fields__:
        assert f"`{name}`" in TEXT
