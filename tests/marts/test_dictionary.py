"""The data dictionary, the databases' comments and the views' columns say the same."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.marts.engines import DuckDb, Engine, Postgres
from tests.marts.small_world import SmallWorld
from zimun_sync.marts import document

if TYPE_CHECKING:
    from tests.conftest import PostgresServer

PAGE = Path(__file__).parents[2] / document.PAGE_FILE
VIEWS, TABLES = document.relations()


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A database whose sink has made everything and written nothing."""
    found: Engine
    if request.param == "duckdb":
        found = DuckDb(tmp_path_factory.mktemp("dictionary"))
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        found = Postgres(server.new_schema())
    found.load(SmallWorld(locations=()))
    return found


def test_the_page_is_up_to_date() -> None:
    present = PAGE.read_text(encoding="utf-8")
    assert document.page(present) == present, "run python -m zimun_sync.marts.document"


def test_every_column_of_every_relation_is_on_the_page_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for relation in (*VIEWS, *TABLES):
        chapter = text.partition(f"### `{relation.name}`\n")[2].partition("\n### ")[0]
        named = [line.split("`")[1] for line in chapter.splitlines() if line.startswith("| `")]
        assert named == [column.name for column in relation.columns]


def test_databases_show_exactly_what_the_dictionary_says(engine: Engine) -> None:
    shown = {
        (name, column): (kind, text) for name, column, kind, text in engine.comments() if column
    }
    told = {
        (relation.name, column.name): (engine.types[column.type], column.comment)
        for relation in (*VIEWS, *TABLES)
        for column in relation.columns
    }
    assert shown == told
    assert all(text for _, text in shown.values())


def test_every_relation_says_what_its_rows_are(engine: Engine) -> None:
    shown = {name: text for name, column, _, text in engine.comments() if not column}
    told = {relation.name: relation.comment for relation in (*VIEWS, *TABLES)}
    assert shown.keys() == told.keys()
    for name, text in told.items():
        assert text
        assert shown[name].startswith(text)
