"""Sinks that somebody damaged: verify names it, its repair mends it, and neither gives up."""

import os
from collections.abc import Callable

from tests.acceptance.program import Project
from tests.verify.conftest import (
    Cli,
    change_csv,
    change_database,
    content,
    csv_text,
    fault,
    keys,
    keys_of_rows,
    present,
    put,
    told,
)
from tests.verify.test_verify_sinks import CSV, DUCKDB, reject
from zimun_sync.sandbox import Sandbox

Damage = Callable[[list[bytes]], list[bytes]]

LONG = b"x," + b"y" * 3_000_000 + b"\n"


#: What may become of a file's lines, by a word for it.
DAMAGES: dict[str, Damage] = {
    "emptied": lambda _lines: [],
    "garbage": lambda _lines: [os.urandom(3_000)],
    "cut off": lambda lines: [*lines[:5], b'a_1,main,"half a ce'],
    "long line": lambda lines: [*lines[:5], LONG, *lines[5:]],
    "long cell": lambda lines: [
        *lines[:5],
        lines[5].replace(b",main,", b',main,"' + LONG * 2 + b'",', 1),
    ],
}


def test_a_published_file(filed: Cli, project: Project) -> None:
    before = csv_text(project)
    for name, damage in DAMAGES.items():
        change_csv(project, damage)
        found = filed("verify", "--no-source", "--json")
        assert (found.code, found.json["status"]) == (3, "different"), name
        mended = filed("verify", "--no-source", "--repair", "--json")
        assert (mended.code, mended.json["status"]) == (0, "equal"), name
        assert csv_text(project) == before, name


def test_a_column_of_another_type(kept: Cli, project: Project) -> None:
    before, wrong = content(project), keys_of_rows(project)[0]
    change_database(
        project,
        "ALTER TABLE appointments ALTER duration_minutes TYPE VARCHAR",
        f"UPDATE appointments SET duration_minutes = 'x' WHERE appointment_id = '{wrong}'",
    )
    found = kept("verify", "--no-source", "--json")
    assert told(found) == {fault(DUCKDB, wrong, "differs-in-sink", "duration_minutes")}
    assert kept("verify", "--no-source", "--repair").code == 0
    assert content(project) == before


def test_rows_with_a_sequence_that_the_store_never_gave(kept: Cli, project: Project) -> None:
    before = content(project)
    changed, copied, *_ = keys_of_rows(project)
    change_database(
        project,
        f"INSERT INTO appointments SELECT * REPLACE ('by_hand' AS appointment_id, 10**9 AS _seq) "
        f"FROM appointments WHERE appointment_id = '{copied}'",
        f"UPDATE appointments SET _seq = 10**9, notes = 'x' WHERE appointment_id = '{changed}'",
    )
    found = kept("verify", "--no-source", "--json")
    assert {each[1:3] for each in told(found)} == {
        (changed, "differs-in-sink"),
        ("by_hand", "only-in-sink"),
    }
    mended = kept("verify", "--no-source", "--repair", "--json")
    assert (mended.code, mended.json["repaired"]) == (0, {DUCKDB: 2})
    assert content(project) == before


def test_what_was_given_up_is_missed_once_the_sink_took_it(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    record = present(sandbox)
    key = record["appointment_id"]
    reject(project, key)
    [entry] = filed("quarantine", "list", "--json").json
    assert filed("quarantine", "drop", str(entry["id"])).code == 0
    put(sandbox, record, notes="mended at the source")
    assert filed("sync").code == 0
    assert key in keys(project)
    change_csv(project, lambda lines: [each for each in lines if not each.startswith(key.encode())])
    found = filed("verify", "--no-source", "--json")
    assert told(found) == {fault(CSV, key, "missing-in-sink", "as readers see it")}
    assert filed("verify", "--no-source", "--repair").code == 0
    assert key in keys(project)
