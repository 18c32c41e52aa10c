"""The data dictionary, the databases' comments and the views' columns say the same."""

from pathlib import Path

import pytest

from tests.marts.engines import Engine
from tests.marts.small_world import SmallWorld
from zimun_sync.marts import document

PAGE = Path(__file__).parents[2] / document.PAGE_FILE
VIEWS, TABLES = document.relations()


@pytest.fixture(scope="module")
def made(engine: Engine) -> Engine:
    """A database whose sink has made everything and written nothing."""
    engine.load(SmallWorld(locations=()))
    return engine


def test_the_page_is_up_to_date() -> None:
    present = PAGE.read_text(encoding="utf-8")
    assert document.page(present) == present, "run python -m zimun_sync.marts.document"


def test_every_column_of_every_relation_is_on_the_page_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for relation in (*VIEWS, *TABLES):
        chapter = text.partition(f"### `{relation.name}`\n")[2].partition("\n### ")[0]
        named = [line.split("`")[1] for line in chapter.splitlines() if line.startswith("| `")]
        assert named == [column.name for column in relation.columns]


def test_databases_show_exactly_what_the_dictionary_says(made: Engine) -> None:
    shown = {(name, column): (kind, text) for name, column, kind, text in made.comments() if column}
    told = {
        (relation.name, column.name): (made.types[column.type], column.comment)
        for relation in (*VIEWS, *TABLES)
        for column in relation.columns
    }
    assert shown == told
    assert all(text for _, text in shown.values())


def test_every_relation_says_what_its_rows_are(made: Engine) -> None:
    shown = {name: text for name, column, _, text in made.comments() if not column}
    told = {relation.name: relation.comment for relation in (*VIEWS, *TABLES)}
    assert shown.keys() == told.keys()
    for name, text in told.items():
        assert text
        assert shown[name].startswith(text)
