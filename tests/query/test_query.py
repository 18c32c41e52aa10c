"""`zimun-sync query`: answers in every format, mistakes in one message, and no harm to anyone."""

import csv
import io
import json
import os
import pty
import stat
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acceptance.program import PROGRAM, Project, neutral_environment
from tests.query.conftest import ROWS, Cli
from zimun_sync.sandbox import Sandbox

KINDS = """
SELECT 'a "b", c' AS text, '' AS empty, NULL AS nothing,
       12345678901234.5678::DECIMAL(18, 4) AS price,
       170141183460469231731687303715884105727 AS huge, TIMESTAMPTZ '2026-03-29 01:30:00+00' AS at,
       TIMESTAMP '2026-03-29 03:30:00.5' AS wall,
       DATE '2026-03-29' AS day, TIME '10:00:00' AS clock,
       TIMETZ '10:00:00+02' AS clock_there, INTERVAL '1 month 2 days 3.5 seconds' AS length,
       '{"a": [1.10]}'::JSON AS document, [1, NULL] AS list, {'a': 1.5} AS struct,
       MAP {'k': DATE '2026-01-01'} AS map, 'ab'::BLOB AS bytes, '101'::BIT AS bits,
       'nan'::DOUBLE AS nan, true AS yes, 'infinity'::TIMESTAMPTZ AS never, 1 AS text
"""
AS_TEXT = {
    "text": 'a "b", c',
    "empty": "",
    "price": "12345678901234.5678",
    "huge": "170141183460469231731687303715884105727",
    "at": "2026-03-29T01:30:00+00:00",
    "wall": "2026-03-29T03:30:00.500000",
    "day": "2026-03-29",
    "clock": "10:00:00",
    "clock_there": "10:00:00+02",
    "length": "P1M2DT3.5S",
    "document": '{"a": [1.10]}',
    "list": "[1,null]",
    "struct": '{"a":1.5}',
    "map": '{"k":"2026-01-01"}',
    "bytes": "6162",
    "bits": "101",
    "nan": "nan",
    "yes": "true",
    "never": "infinity",
    "text_1": "1",
}


def test_a_table_for_people(ask: Cli) -> None:
    ended = ask("query", "SELECT count(*) AS bookings, NULL AS x, '' AS y FROM appointments")
    assert ended.code == 0
    header, row, count = (line.split() for line in ended.out.splitlines())
    assert header == ["bookings", "x", "y"]
    assert row == [str(ROWS), "NULL"]
    assert count == ["1", "row"]


def test_a_table_shows_as_many_rows_as_asked_for(ask: Cli) -> None:
    sql = "SELECT i FROM range(250) r(i)"
    assert "100 rows, and there are more" in ask("query", sql).out
    assert ask("query", sql, "--limit", "250").out.splitlines()[-1] == "250 rows"
    refused = ask("query", sql, "--limit", "1", "--format", "csv")
    assert (refused.code, refused.out) == (2, "")


def test_what_a_terminal_would_obey_is_shown_instead(ask: Cli) -> None:
    ended = ask("query", "SELECT chr(27) || '[31m' || chr(10) || chr(8238) AS name")
    assert r"\x1b[31m\n\u202e" in ended.out


def test_csv_keeps_every_value_and_tells_null_from_empty(ask: Cli) -> None:
    ended = ask("query", KINDS, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(ended.out))
    assert row == AS_TEXT | {"nothing": ""}
    assert '"a ""b"", c","",,12345678901234.5678,' in ended.out


def test_json_keeps_every_value(ask: Cli) -> None:
    (row,) = json.loads(ask("query", KINDS, "--format", "json").out, parse_float=Decimal)
    nested = {
        "document": {"a": [Decimal("1.10")]},
        "list": [1, None],
        "struct": {"a": Decimal("1.5")},
        "map": {"k": "2026-01-01"},
    }
    numbers = {"price": Decimal(AS_TEXT["price"]), "huge": int(AS_TEXT["huge"]), "text_1": 1}
    assert row == AS_TEXT | nested | numbers | {"nothing": None, "yes": True}
    assert '"document":{"a":[1.10]}' in ask("query", KINDS, "--format", "json").out


def test_json_lines_have_a_record_each(ask: Cli) -> None:
    sql = "SELECT appointment_id, price_amount, extra FROM appointments"
    rows = [json.loads(line) for line in ask("query", sql, "-f", "jsonl").out.splitlines()]
    assert len(rows) == ROWS
    assert all(isinstance(row["extra"], dict) for row in rows)


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_an_answer_without_rows_is_whole(ask: Cli, kind: str) -> None:
    ended = ask("query", "SELECT 1 AS one WHERE false", "--format", kind)
    assert (ended.code, ended.out) == (0, {"csv": '"one"\n', "json": "[]\n", "jsonl": ""}[kind])


def test_files_are_private_and_take_their_format_from_their_name(ask: Cli, filled: Project) -> None:
    sql = "SELECT appointment_id, starts_at, price_amount FROM appointments"
    for name in ("a.parquet", "a.arrow", "a.csv"):
        assert ask("query", sql, "--output", name).code == 0
        assert stat.S_IMODE((filled.folder / name).stat().st_mode) == 0o600
    table = pq.read_table(filled.folder / "a.parquet")
    with pa.ipc.open_file(filled.folder / "a.arrow") as file:
        assert file.read_all().equals(table)
    assert table.num_rows == ROWS
    assert table.schema.field("price_amount").type == pa.decimal128(18, 4)
    assert table.schema.field("starts_at").type == pa.timestamp("us", "UTC")


def test_an_answer_that_fails_replaces_no_file(ask: Cli, filled: Project) -> None:
    (filled.folder / "a.csv").write_text("kept")
    sql = "SELECT CAST(if(i = 150000, 'x', '1') AS INTEGER) FROM range(200000) r(i)"
    ended = ask("query", sql, "--output", "a.csv")
    assert ended.code == 1
    assert "Could not convert string 'x'" in ended.err
    assert (filled.folder / "a.csv").read_text() == "kept"
    assert [each.name for each in filled.folder.glob(".a.csv*")] == []


def test_what_is_not_a_file_is_not_replaced(ask: Cli, filled: Project) -> None:
    os.mkfifo(filled.folder / "pipe.csv")
    for target in ("pipe.csv", "var"):
        ended = ask("query", "SELECT 1", "--output", target, "--format", "csv")
        assert ended.code == 2
        assert "is not a file" in ended.err
    assert ask("query", "SELECT 1", "--output", "nowhere/a.csv").code == 1
    assert ask("query", "SELECT 1", "--output", "a.txt").code == 2


def test_cells_that_a_spreadsheet_would_run_are_noted(ask: Cli) -> None:
    sql = "SELECT '=1+1' AS risky, '+493012345678' AS phone, '-' AS dash, 'a=b' AS fine"
    ended = ask("query", sql, "--format", "csv")
    assert "note: dash, risky: some cells begin as a formula does" in ended.err
    assert '"=1+1"' in ended.out


def test_instants_and_days_are_in_the_zone_asked_for(ask: Cli) -> None:
    sql = "SELECT TIMESTAMPTZ '2026-07-01 23:30:00+00' AS moment, CAST(moment AS DATE) AS day"
    ended = ask("query", sql, "--format", "csv", "--timezone", "Europe/Berlin")
    assert ended.out.splitlines()[1] == '"2026-07-02T01:30:00+02:00","2026-07-02"'
    wrong = ask("query", sql, "--timezone", "Mars")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'Mars' is not a time zone" in wrong.err


@pytest.mark.parametrize(
    ("sql", "said", "hint"),
    [
        ("SELEC 1", "LINE 1: SELEC 1\n        ^^^^^", ""),
        (
            "SELECT nope FROM staff",
            "LINE 1: SELECT nope FROM staff\n               ^^^^",
            "DESCRIBE",
        ),
        ("CREATE TEMP TABLE t AS SELECT 1; SELECT nope FROM t", "LINE 1: SELECT nope", "DESCRIBE"),
        ("SELECT * FROM nope", "Table with name nope does not exist", "SHOW TABLES"),
        ("INSERT INTO staff (staff_id) VALUES ('x')", "staff", "only read"),
        ("DROP VIEW staff", "read-only mode", "only read"),
        ("CREATE TABLE t (a INTEGER)", "read-only mode", "only read"),
        ("", "There is no SQL to run", "SHOW TABLES"),
        ("SELECT ?", "parameters", ""),
    ],
)
def test_a_mistake_is_one_message_with_its_place(ask: Cli, sql: str, said: str, hint: str) -> None:
    ended = ask("query", sql)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert hint in ended.err.partition("what to do: ")[2]
    assert "Traceback" not in ended.err


def test_several_statements_answer_with_the_last_one(ask: Cli) -> None:
    sql = "CREATE TEMP TABLE t AS SELECT 7 AS n; SELECT n FROM t"
    assert ask("query", sql, "--format", "csv").out == '"n"\n7\n'


def test_sql_comes_from_standard_input(ask: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS one;\n"))
    assert ask("query", "-", "--format", "csv").out == '"one"\n1\n'


def test_which_sink_is_asked(synced: Cli, project: Project) -> None:
    assert synced("query", "SELECT 1", "--sink", "analytics").code == 0
    csv_sink = synced("query", "SELECT 1", "--sink", "files")
    assert (csv_sink.code, "is of type csv" in csv_sink.err) == (2, True)
    assert "analytics" in synced("query", "SELECT 1", "--sink", "nope").err

    project.sinks["second"] = {"type": "duckdb", "path": "var/second.duckdb"}
    project.save()
    several = synced("query", "SELECT 1")
    assert (several.code, "analytics, second" in several.err) == (2, True)
    unfilled = synced("query", "SELECT 1", "--sink", "second")
    assert (unfilled.code, "There is no data yet" in unfilled.err) == (1, True)

    project.settings["sinks"] = {"files": project.sinks["files"]}
    project.save()
    none = synced("query", "SELECT 1")
    assert (none.code, "type: duckdb" in none.err) == (2, True)


def test_a_file_that_readers_see_elsewhere_is_found_there(synced: Cli, project: Project) -> None:
    elsewhere = project.folder / "mounted"
    elsewhere.symlink_to(project.folder / "var", target_is_directory=True)
    project.sinks["analytics"]["reader_root"] = str(elsewhere)
    project.save()
    assert synced("sync").code == 0
    assert synced("query", "SELECT count(*) AS n FROM staff", "-f", "csv").code == 0


def test_a_reader_that_has_seen_enough_ends_it_quietly(ask: Cli, filled: Project) -> None:
    for kind in ("csv", "jsonl", "arrow", "parquet"):
        command = [PROGRAM, "query", "SELECT i FROM range(1000000) r(i)", "--format", kind]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=filled.folder, env=neutral_environment(), stdout=pipe, stderr=pipe
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(3)
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


def test_a_full_disk_behind_standard_output_is_told(ask: Cli, filled: Project) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [PROGRAM, "query", "SELECT 1", "--format", "csv"],
            cwd=filled.folder, env=neutral_environment(), stdout=full, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: Standard output cannot be written")


def test_a_narrow_terminal_shows_records_and_no_binary(ask: Cli, filled: Project) -> None:
    shown = _on_a_terminal(filled, "query", "SELECT * FROM appointments", "--limit", "1")
    assert "row 1" in shown
    assert "appointment_id" in shown
    refused = _on_a_terminal(filled, "query", "SELECT 1", "--format", "parquet")
    assert "A terminal cannot show parquet" in refused


def _on_a_terminal(project: Project, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=project.folder, env=neutral_environment() | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait()
    return shown.decode()


def test_a_query_is_answered_while_a_sync_writes(
    synced: Cli, project: Project, sandbox: Sandbox
) -> None:
    """The one reader holds on while syncs publish, others come and go; every answer is whole."""
    sql = "SELECT count(*) AS n, count(DISTINCT appointment_id) AS keys FROM appointments"
    with duckdb.connect(project.database, read_only=True) as holding:
        for minutes in (11, 22, 33):
            _lengthen(sandbox, minutes)
            with project.started(
                "sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as sync:
                answers = [synced("query", sql, "--format", "jsonl")]
                while sync.poll() is None:
                    answers.append(synced("query", sql, "--format", "jsonl"))
            assert sync.returncode == 0
            assert {each.code for each in answers} == {0}
            assert {each.out for each in answers} == {f'{{"n":{ROWS},"keys":{ROWS}}}\n'}
            fresh = "SELECT count(*) FROM appointments WHERE duration_minutes = ?"
            assert holding.execute(fresh, [minutes]).fetchone() == (ROWS,)


def _lengthen(sandbox: Sandbox, minutes: int) -> None:
    for item in sandbox.world.appointments.window(0, ROWS).items:
        record = json.loads(item)
        record |= {"appointment_duration": minutes, "updated_at": datetime.now(UTC).isoformat()}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
