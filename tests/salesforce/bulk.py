"""Bulk API 2.0 of the fake organization."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.salesforce.org import FakeOrg, Refusal, Stored
from tests.salesforce.schema import Column

EMPTIES: Final = "#N/A"


@dataclass(slots=True)
class Job:
    """An ingest job.

    Args:
        id: its id.
        table: the object type.
        operation: `upsert` or `update`.
        key_field: the external id, of an upsert.
        state: as Salesforce names it.
        polls: how often it is asked after before it is done.
        rows: what was uploaded.
    """

    id: str
    table: str
    operation: str
    key_field: str
    polls: int
    state: str = "Open"
    error: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)
    done: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    unprocessed: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.table,
            "operation": self.operation,
            "state": self.state,
            "errorMessage": self.error or None,
            "numberRecordsProcessed": len(self.done) + len(self.failed),
            "numberRecordsFailed": len(self.failed),
        }

    def upload(self, body: bytes) -> None:
        self.rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))

    def work(self, org: FakeOrg, most: int | None) -> None:
        """Work it off; with `most`, it fails after so many rows."""
        columns = list(self.rows[0]) if self.rows else []
        unknown = [name for name in columns if name not in org.tables[self.table]]
        if unknown:
            self.state, self.unprocessed = "Failed", self.rows
            self.error = f"InvalidBatch : Field name not found : {unknown[0]}"
            return
        end = len(self.rows) if most is None else most
        self.unprocessed = self.rows[end:]
        for row in reversed(self.rows[:end]):  # results come in no particular order
            self._work_row(org, row)
        self.state = "Failed" if self.unprocessed else "JobComplete"

    def _work_row(self, org: FakeOrg, row: dict[str, str]) -> None:
        try:
            record, is_new = self._save(org, _typed(row, org.tables[self.table]))
        except Refusal as refusal:
            error = f"{refusal.code}:{refusal.message}:{' '.join(refusal.fields)}--"
            self.failed.append({"sf__Id": "", "sf__Error": error, **row})
        else:
            created = "true" if is_new else "false"
            self.done.append({"sf__Id": record.id, "sf__Created": created, **row})

    def _save(self, org: FakeOrg, values: Mapping[str, Any]) -> tuple[Stored, bool]:
        if self.operation == "upsert":
            return org.upsert(self.table, self.key_field, values)
        return org.update(values["Id"], values), False


def sheet(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Rows as a result is answered; nothing at all without rows."""
    if not rows:
        return b""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _typed(row: Mapping[str, str], columns: Mapping[str, Column]) -> dict[str, Any]:
    """A row's values; an empty cell says nothing."""
    values: dict[str, Any] = {}
    for name, cell in row.items():
        if cell == EMPTIES:
            values[name] = None
        elif cell:
            values[name] = _read(columns[name].type, cell)
    return values


def _read(kind: str, cell: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}[cell]
    return int(cell) if kind == "int" else cell
