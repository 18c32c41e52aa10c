"""Fields that nobody knows: remembered, told once ever, with what their values are."""

from collections.abc import Sequence

from tests.store.conftest import State
from zimun_sync.model import ColumnType
from zimun_sync.normalize import Noticed
from zimun_sync.normalize.noticing import MOST_FIELDS
from zimun_sync.store import KnownField, Store

SIZE = Noticed("size", "integer", ColumnType.INTEGER)
HALF = Noticed("size", "number", ColumnType.DECIMAL)
WORD = Noticed("size", "string", ColumnType.TEXT)
TAGS = Noticed("tags", "array", ColumnType.JSON)


def names(found: Sequence[KnownField]) -> list[tuple[str, str, str]]:
    return [(each.source, each.stream, each.field) for each in found]


def test_a_field_is_told_once_whoever_notices_it(state: State, store: Store) -> None:
    assert names(store.fields.notice("main", "staff", [SIZE, TAGS])) == [
        ("main", "staff", "size"),
        ("main", "staff", "tags"),
    ]
    assert store.fields.notice("main", "staff", [SIZE]) == []
    again = state.open()  # as another process would
    assert again.fields.notice("main", "staff", [SIZE, TAGS]) == []
    assert names(again.fields.notice("main", "services", [SIZE])) == [("main", "services", "size")]
    assert names(again.fields.notice("second", "staff", [SIZE])) == [("second", "staff", "size")]


def test_the_suggested_type_holds_every_type_that_was_seen(store: Store) -> None:
    for noticed, types, suggested in (
        (SIZE, ("integer",), ColumnType.INTEGER),
        (HALF, ("integer", "number"), ColumnType.DECIMAL),
        (WORD, ("integer", "number", "string"), ColumnType.JSON),
        (SIZE, ("integer", "number", "string"), ColumnType.JSON),
    ):
        store.fields.notice("main", "staff", [noticed])
        [known] = store.fields.all()
        assert (known.json_types, known.suggested) == (types, suggested)


def test_several_types_in_one_page(store: Store) -> None:
    [told] = store.fields.notice("main", "staff", [SIZE, HALF])
    assert (told.json_types, told.suggested) == (("integer", "number"), ColumnType.DECIMAL)


def test_a_field_keeps_the_time_when_it_came_up(state: State, store: Store) -> None:
    [first] = store.fields.notice("main", "staff", [SIZE])
    state.clock.forward(60)
    store.fields.notice("main", "staff", [WORD])
    [known] = store.fields.all()
    assert known.first_at == first.first_at


def test_a_source_that_makes_names_up_fills_no_state(store: Store) -> None:
    made_up = [Noticed(f"k{n}", "string", ColumnType.TEXT) for n in range(MOST_FIELDS + 5)]
    for start in (0, 100):
        store.fields.notice("main", "staff", made_up[start:])
    assert len(store.fields.all()) == MOST_FIELDS
