"""Tables and views follow the streams, from release to release."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from zimun_connectors.duckdb.publish import Publisher
from zimun_sync.model import APPOINTMENTS, STREAMS, Column, ColumnType, Stream
from zimun_sync.testing import make_batch, make_row, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

COLOUR = Column("colour", ColumnType.TEXT, "Colour in the calendar; the customer's choice.")
NEWER = replace(
    APPOINTMENTS, content=(*APPOINTMENTS.content[:3], COLOUR, *APPOINTMENTS.content[3:])
)
ROOMS = Stream("rooms", "room_id", (Column("room_id", ColumnType.TEXT, "The room."),))


@pytest.fixture
def newer_release(bench: "Bench") -> None:
    """A sink with one record of this release; then comes a release with one column more."""
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1", notes="old")))
    sink.close()
    bench.streams = STREAMS | {"appointments": NEWER}


def test_a_new_column_appears_without_a_reload(bench: "Bench", newer_release: None) -> None:
    sink = bench.opened()
    question = "SELECT appointment_id, notes, colour FROM appointments ORDER BY ALL"
    assert bench.query(question) == [("a_1", "old", None)]
    row = make_row(NEWER, "a_2", colour="red")
    sink.write(make_batch(upsert(2, "a_2", row), stream=NEWER))
    assert bench.query(question) == [("a_1", "old", None), ("a_2", None, "red")]
    columns = bench.query(
        "SELECT column_name, comment FROM duckdb_columns() "
        "WHERE table_name = 'appointments' AND database_name = 'zimun' ORDER BY column_index"
    )
    assert columns[3] == ("colour", COLOUR.comment)


class Killed(BaseException):
    """The process ended here."""


@pytest.fixture
def killed_before_publishing(monkeypatch: pytest.MonkeyPatch) -> Callable[["Bench"], None]:
    """Opens a sink that dies once its tables have the new columns, and before readers do."""

    def die(*_: object) -> None:
        raise Killed

    def start(bench: "Bench") -> None:
        with monkeypatch.context() as during:
            during.setattr(Publisher, "_mend", die)
            with pytest.raises(Killed):
                bench.opened()

    return start


def test_a_kill_between_a_new_column_and_its_publication_is_mended(
    bench: "Bench", newer_release: None, killed_before_publishing: Callable[["Bench"], None]
) -> None:
    killed_before_publishing(bench)
    question = "SELECT appointment_id, notes, colour FROM appointments ORDER BY ALL"
    sink = bench.opened()
    assert bench.query(question) == [("a_1", "old", None)]
    row = make_row(NEWER, "a_2", colour="red")
    sink.write(make_batch(upsert(2, "a_2", row), stream=NEWER))
    assert bench.query(question) == [("a_1", "old", None), ("a_2", None, "red")]


def test_a_kill_between_a_new_table_and_its_publication_is_mended(
    bench: "Bench", killed_before_publishing: Callable[["Bench"], None]
) -> None:
    bench.streams = {"appointments": APPOINTMENTS}
    bench.opened(model=False).close()
    bench.streams = STREAMS
    killed_before_publishing(bench)
    bench.opened(model=True)
    assert bench.query("SELECT count(*) FROM fact_appointments") == [(0,)]


def test_views_of_the_release_before_go_on_working(bench: "Bench", newer_release: None) -> None:
    former = bench.folder / "former.duckdb"
    bench.views.rename(former)
    sink = bench.opened()
    row = make_row(NEWER, "a_2", colour="red")
    sink.write(make_batch(upsert(2, "a_2", row), stream=NEWER))
    bench.views.rename(bench.folder / "new.duckdb")
    former.rename(bench.views)
    assert bench.query("SELECT appointment_id FROM appointments ORDER BY ALL") == [
        ("a_1",),
        ("a_2",),
    ]


def test_views_are_left_alone_when_nothing_about_them_changed(bench: "Bench") -> None:
    bench.opened().close()
    before = bench.views.stat().st_ino
    bench.opened()
    assert bench.views.stat().st_ino == before


def test_a_stream_of_another_package_gets_its_view_with_its_first_batch(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "r_1", make_row(ROOMS, "r_1")), stream=ROOMS))
    assert bench.query("SELECT room_id FROM rooms") == [("r_1",)]
    assert [key for key, _ in sink.read_back("main", ROOMS)] == ["r_1"]
