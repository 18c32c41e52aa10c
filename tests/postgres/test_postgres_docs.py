"""The user's page says what is so."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import yaml

from zimun_connectors.postgres import PostgresSettings
from zimun_connectors.postgres.config import PublishSettings
from zimun_sync.model import STREAMS
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench

PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "postgres.md").read_text()


def test_the_rights_on_the_page_are_enough_and_the_example_answers(bench: "Bench") -> None:
    rights, example = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    bench.admin("CREATE DATABASE warehouse")
    bench.admin("REVOKE ALL ON DATABASE warehouse FROM PUBLIC")
    bench.url = bench.url.replace("/postgres?", "/warehouse?")
    with psycopg.connect(bench.url) as administrator:
        administrator.execute(rights)
    bench.admin("CREATE ROLE ana LOGIN IN ROLE analysts")
    sink = bench.sink(url=bench.url_of("zimun_sync"), schema="zimun", publish=_example()["publish"])
    sink.check(bench.context())
    sink.open(bench.context())
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    with psycopg.connect(bench.url_of("ana")) as analyst:
        ((day, bookings, revenue),) = analyst.execute(example).fetchall()
    assert (str(day), bookings, str(revenue)) == ("2026-11-20", 2, "99.0000")


def _example() -> dict[str, Any]:
    text = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    settings: dict[str, Any] = yaml.safe_load(text)["sinks"]["warehouse"]
    return settings


def test_the_example_is_a_valid_section() -> None:
    settings = PostgresSettings.model_validate(_example())
    assert settings.publish.roles == ("analysts",)
    assert settings.place == "PostgreSQL db.example.org/warehouse, schema zimun"


def test_every_setting_has_a_line_with_its_default() -> None:
    section = PAGE.partition("## Settings")[2].partition("\n## ")[0]
    described = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", section, re.MULTILINE))
    fields = {
        field.alias or name: field
        for name, field in PostgresSettings.model_fields.items()
        if name not in {"type", "publish"}
    }
    assert described.keys() == fields.keys() | {
        f"publish.{key}" for key in PublishSettings.model_fields
    }
    for name in ("schema", "statement_timeout", "lock_timeout", "application_name"):
        assert described[name] == f"`{fields[name].default}`"


def test_every_stream_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in STREAMS)


def test_every_code_of_a_rejection_is_explained() -> None:
    folder = Path(__file__).parents[2] / "connectors" / "zimun_connectors" / "postgres"
    source = "".join((folder / name).read_text() for name in ("values.py", "errors.py"))
    pattern = r'(?:return |UnstorableError\(\s*)"([a-z]+(?:-[a-z]+)+|constraint)"'
    codes = set(re.findall(pattern, source))
    section = PAGE.partition("## What cannot be stored")[2].partition("\n## ")[0]
    assert len(codes) == 7
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == codes
