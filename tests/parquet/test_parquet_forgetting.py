"""Forgetting: former versions go, and nothing is left in the private database."""

from datetime import date
from typing import TYPE_CHECKING

from zimun_sync.sinks import Forgotten
from zimun_sync.testing import delete, files_with, make_batch, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

_SECRET = "~QxZvWk7"
_PERSON = Forgotten({("main", "appointments"): ["a_1"]})


def test_former_versions_are_removed_and_the_latest_stays(desk: "Desk") -> None:
    sink = desk.open(keep_versions=9)
    sink.write(make_batch(upsert(1, "a_1", notes=_SECRET), upsert(2, "a_2", notes="stays")))
    sink.write(make_batch(upsert(3, "a_1", notes=_SECRET, local_date=date(2026, 12, 1))))
    sink.write(make_batch(upsert(4, "a_1", notes=None)))
    assert len(desk.versions()) == 4
    latest, files = desk.version, desk.files()
    assert sink.forget(_PERSON).complete
    assert desk.versions() == [latest.name]
    assert desk.version == latest
    assert desk.files() == files
    assert desk.column("notes") == {"a_1": None, "a_2": "stays"}
    assert not files_with(desk.folder, _SECRET)
    sink.write(make_batch(upsert(5, "a_2", notes="goes on")))
    assert desk.column("notes") == {"a_1": None, "a_2": "goes on"}


def test_those_who_were_deleted_before(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1", notes=_SECRET), upsert(2, "a_2")))
    sink.write(make_batch(delete(3, "a_1")))
    assert files_with(desk.folder, _SECRET)
    assert sink.forget(_PERSON).complete
    assert not files_with(desk.folder, _SECRET)


def test_rows_that_wait_are_published_first(desk: "Desk") -> None:
    """With more batches on their way, a version may be put off; forgetting does not wait."""
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1", notes=_SECRET)))
    sink.write(make_batch(upsert(2, "a_1", notes=_SECRET * 2), more=True))
    sink.write(make_batch(upsert(3, "a_1", notes=None), more=True))
    assert sink.forget(_PERSON).complete
    assert desk.column("notes") == {"a_1": None}
    assert not files_with(desk.folder, _SECRET)
