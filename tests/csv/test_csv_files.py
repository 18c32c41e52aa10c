"""The current files: their bytes, what readers make of them, and when they are replaced."""

import csv
import io
import os
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import replacing
from zimun_sync.model import APPOINTMENTS, LOCATIONS, SERVICES, STAFF, STREAMS, Column, ColumnType
from zimun_sync.model import Stream as ModelStream
from zimun_sync.testing import delete, make_batch, make_row, upsert

if TYPE_CHECKING:
    from tests.csv.conftest import Desk

_NAMES = [column.name for column in APPOINTMENTS.columns]


def _cells(text: str, delimiter: str) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    return list(csv.reader(lines, delimiter=delimiter, strict=True))


def test_every_file_is_there_with_its_header_from_the_start(desk: "Desk") -> None:
    desk.open()
    for stream in STREAMS.values():
        assert desk.text(stream) == ",".join(c.name for c in stream.columns) + "\r\n"


def test_the_standard_spelling(desk: "Desk") -> None:
    row = make_row(
        SERVICES,
        "s_1",
        name="=HYPERLINK(1)",
        description='say "hi",\nplease',
        duration_minutes=-45,
        price_amount=Decimal("49.50"),
        price_currency="",
        location_ids=["l_1", "l_2"],
        active=True,
        created_at=datetime(2026, 11, 20, 9, 45, tzinfo=UTC),
        updated_at=datetime(2026, 11, 20, 9, 45, 0, 250_000, tzinfo=UTC),
    )
    desk.open().write(make_batch(upsert(7, "s_1", row), stream=SERVICES))
    assert desk.text(SERVICES).partition("\r\n")[2] == (
        's_1,,\'=HYPERLINK(1),"say ""hi"",\nplease",-45,49.50,"","[""l_1"",""l_2""]",true,'
        "2026-11-20T09:45:00Z,2026-11-20T09:45:00.250000Z,,,"
        "main,7,run-1,2026-11-20T03:00:00Z\r\n"
    )


def test_the_excel_preset(desk: "Desk") -> None:
    sink = desk.open(preset="excel", delimiter=";", decimal_separator=",")
    location = make_row(LOCATIONS, "l_ny", timezone="America/New_York")
    sink.write(make_batch(upsert(1, "l_ny", location), stream=LOCATIONS))
    noon = datetime(2026, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    person = make_row(STAFF, "st_1", name="Ana", location_id="l_ny", created_at=noon)
    sink.write(make_batch(upsert(2, "st_1", person), stream=STAFF))
    sink.write(make_batch(upsert(3, "a_1")))

    assert desk.file().read_bytes().startswith(b"\xef\xbb\xbfappointment_id;organization_id;")
    (row,) = csv.DictReader(desk.text().lstrip("\ufeff").splitlines(), delimiter=";")
    assert row["starts_at"] == row["local_start"] == "2026-11-20 09:45:00"
    assert row["created_at"] == "2026-10-01 14:00:00"  # summer time in Vienna
    assert row["price_amount"] == "49,50"
    (row,) = csv.DictReader(desk.text(STAFF).lstrip("\ufeff").splitlines(), delimiter=";")
    assert row["created_at"] == "2026-07-01 08:00:00"  # the location's zone, whole seconds


def test_a_record_without_a_zone_is_shown_at_its_offset_else_in_utc(desk: "Desk") -> None:
    sink = desk.open(preset="excel")
    for seq, zone in enumerate((None, "Mars/Olympus"), start=1):
        sink.write(make_batch(upsert(seq, f"a_{seq}", timezone=zone, utc_offset_minutes=-300)))
    sink.write(make_batch(upsert(3, "a_3", timezone=None, utc_offset_minutes=None)))
    rows = list(csv.DictReader(desk.text().lstrip("\ufeff").splitlines()))
    assert [row["starts_at"] for row in rows] == [
        "2026-11-20 03:45:00",
        "2026-11-20 03:45:00",
        "2026-11-20 08:45:00",
    ]


def test_pandas_reads_it(desk: "Desk") -> None:
    desk.open().write(make_batch(upsert(1, "a_1", notes="two\nlines"), upsert(2, "a_2")))
    frame = pd.read_csv(desk.file(), parse_dates=["starts_at", "local_start"], dtype={"notes": str})
    assert list(frame.columns) == _NAMES
    assert frame["starts_at"].iloc[0] == pd.Timestamp("2026-11-20T08:45:00Z")
    assert frame["local_start"].iloc[0] == pd.Timestamp("2026-11-20T09:45:00")
    assert frame["price_amount"].sum() == 99.0
    assert frame["notes"].iloc[0] == "two\nlines"


def test_a_column_may_opt_out_of_the_guard(desk: "Desk") -> None:
    sink = desk.open(formula_safe_except={"notes"})
    sink.write(make_batch(upsert(1, "a_1", notes="=1+1", contact_name="=1+1")))
    (row,) = csv.DictReader(desk.text().splitlines())
    assert (row["notes"], row["contact_name"]) == ("=1+1", "'=1+1")


@pytest.mark.parametrize(
    ("settings", "cells", "ending"),
    [
        ({"delimiter": ";"}, "a_1;o_1;", "\r\n"),
        ({"line_ending": "lf"}, "a_1,o_1,", "\n"),
        ({"delimiter": "\t", "decimal_separator": ","}, "a_1\to_1\t", "\r\n"),
    ],
)
def test_changed_settings_spell_everything_anew(
    desk: "Desk", settings: dict[str, str], cells: str, ending: str
) -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2", notes="=x")))
    before = desk.text()
    sink.close()
    desk.open(**settings).close()
    text = desk.text()
    assert text.split(ending)[1].startswith(cells)
    assert text.count(ending) == 3
    desk.open()
    assert desk.text() == before


def test_the_default_and_every_other_spelling_hold_the_same_rows(desk: "Desk") -> None:
    awkward = 'semi;colon "quoted"\r\nand\tmore\rlines\n'
    changes = [upsert(seq, f"a_{seq}", notes=awkward * seq) for seq in range(1, 50)]
    sink = desk.open()
    sink.write(make_batch(*changes))
    rows = _cells(desk.text(), ",")
    sink.close()
    desk.open(delimiter=";").close()
    assert _cells(desk.text(), ";") == rows


def test_a_reader_keeps_the_file_it_has_open(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    with desk.file().open("rb") as reader:
        sink.write(make_batch(upsert(2, "a_2"), delete(3, "a_1")))
        assert b"a_1" in reader.read()
    assert "a_2" in desk.text()
    assert "a_1" not in desk.text()


def test_an_unchanged_batch_replaces_no_file(desk: "Desk") -> None:
    sink = desk.open()
    batch = make_batch(upsert(1, "a_1"))
    sink.write(batch)
    before = desk.file().stat()
    sink.write(batch)
    assert desk.file().stat().st_ino == before.st_ino


def test_while_more_waits_files_are_replaced_now_and_then(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1"), more=True))
    assert "a_1" not in desk.text()
    desk.wait(seconds=5)
    sink.write(make_batch(upsert(2, "a_2"), more=True))
    assert "a_1" in desk.text()
    sink.write(make_batch(upsert(3, "a_3"), more=True))
    assert "a_3" not in desk.text()
    sink.write(make_batch(upsert(4, "a_4"), more=False))
    assert "a_3" in desk.text()


@pytest.mark.parametrize("damage", ["removed", "saved over"])
def test_a_file_that_someone_changed_is_made_anew_on_opening(desk: "Desk", damage: str) -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    before = desk.text()
    sink.close()
    if damage == "removed":
        desk.file().unlink()
    else:
        desk.file().write_text("sorted by price")
    desk.open()
    assert desk.text() == before


def test_only_the_owner_sees_the_state_and_the_group_the_files(desk: "Desk") -> None:
    desk.open(publish={"mode": "0640"}).write(make_batch(upsert(1, "a_1")))
    assert stat.S_IMODE(desk.file().stat().st_mode) == 0o640
    private = desk.path / ".zimun"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in private.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_file_is_its_owner_s_alone_until_it_is_whole(tmp_path: Path) -> None:
    """Whatever the umask, and whatever mode a killed process left behind."""
    draft = tmp_path / ".appointments.csv.new"
    draft.write_text("half")
    draft.chmod(0o666)
    before = os.umask(0)
    try:
        with replacing(tmp_path / "appointments.csv", PublishSettings()) as file:
            file.write(b"whole")
            (found,) = tmp_path.iterdir()
            assert (found, stat.S_IMODE(found.stat().st_mode)) == (draft, 0o600)
    finally:
        os.umask(before)
    (found,) = tmp_path.iterdir()
    assert (found.read_bytes(), stat.S_IMODE(found.stat().st_mode)) == (b"whole", 0o640)


def test_the_log_does_not_outgrow_what_counts(desk: "Desk") -> None:
    sink = desk.open()
    notes = "n" * 2_000
    seq = 0
    for _ in range(8):
        changes = [upsert(seq + n, f"a_{n}", notes=f"{seq}{notes}") for n in range(1, 201)]
        seq += len(changes)
        sink.write(make_batch(*changes))
    size = desk.file().stat().st_size
    assert desk.log().stat().st_size < 4 * size
    rows = list(csv.DictReader(desk.text().splitlines()))
    assert len(rows) == 200
    assert {row["_seq"] for row in rows} == {str(n) for n in range(seq - 199, seq + 1)}


def test_a_new_column_of_a_later_release_is_null_in_old_rows(desk: "Desk") -> None:
    older = ModelStream(SERVICES.name, SERVICES.key, SERVICES.content[:-3])
    sink = desk.open()
    sink.close()
    (desk.path / ".zimun").rename(desk.path / "unused")
    for path in desk.path.glob("*.csv"):
        path.unlink()
    sink = desk.make()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STREAMS, SERVICES.name, older)
        sink.open(desk.context())
        row = make_row(older, "=s_1", name="Cut")
        sink.write(make_batch(upsert(1, "=s_1", row), stream=older))
        sink.close()
    sink = desk.open()
    (found,) = csv.DictReader(desk.text(SERVICES).splitlines())
    assert (found["service_id"], found["name"], found["extra"]) == ("'=s_1", "Cut", "")
    sink.write(make_batch(delete(2, "=s_1"), stream=SERVICES))
    assert desk.text(SERVICES).count("\r\n") == 1


def test_a_stream_the_model_does_not_list_gets_a_file_of_its_own(desk: "Desk") -> None:
    rooms = ModelStream("rooms", "room_id", (Column("room_id", ColumnType.TEXT, "Its name."),))
    desk.open().write(make_batch(upsert(1, "r_1", make_row(rooms, "r_1")), stream=rooms))
    assert desk.text(rooms).splitlines()[1].startswith("r_1,main,1,")


@pytest.mark.parametrize("shift", [0, 1])
def test_only_what_was_changed_differs_among_texts_full_of_line_breaks(
    desk: "Desk", shift: int
) -> None:
    texts = ["x" * (1_000 + shift), *["\r\n" * 3_000] * 400]
    sink = desk.open()
    sink.write(make_batch(*(upsert(n, f"a_{n}", notes=text) for n, text in enumerate(texts, 1))))
    desk.file().write_bytes(desk.file().read_bytes().replace(b"xx", b"xy", 1))
    assert list(sink.read_published("main", APPOINTMENTS)) == [("a_1", "differs", "notes")]


@pytest.mark.parametrize("preset", ["standard", "excel"])
def test_a_text_of_megabytes_is_written_moved_and_shown(desk: "Desk", preset: str) -> None:
    states = [
        upsert(seq, key, make_row(APPOINTMENTS, key, notes=text * 3_000_000))
        for seq, key, text in [(1, "a_0", "x"), (2, "a_1", "y"), (4, "a_1", "z")]
    ]
    sink = desk.open(preset=preset, changes=True)
    sink.write(make_batch(*states[:2]))
    sink.write(make_batch(delete(3, "a_0")))
    before = desk.log()
    sink.write(make_batch(states[2]))
    assert desk.log() != before
    assert desk.text().count("\r\n") == 2
    assert desk.text().count("z") >= 3_000_000
    desk.file().write_bytes(desk.file().read_bytes().replace(b"zz", b"zy", 1))
    assert list(sink.read_published("main", APPOINTMENTS)) == [("a_1", "differs", "notes")]
