"""A small CRM in memory or in a file, and a sink for it with everything that remote sinks ask of
the engine: activation, previews, a brake, notices, small batches, a mapping of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from zimun_sync.errors import SinkBroken, SinkHeld, SinkUnavailable
from zimun_sync.ids import DOUBTED, IdState, Known
from zimun_sync.sinks import (
    Batch,
    Change,
    Connector,
    Difference,
    FieldDifference,
    Planned,
    Rejection,
    SinkContext,
    StartFrom,
    WriteResult,
)


@dataclass
class Crm:
    """What the remote system holds, and every write it saw."""

    account: str = "crm-1"
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    appointments: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    connections: int = 0
    down: bool = False
    refuses: bool = False

    def put(self, kind: str, action: str, id_: str, fields: Mapping[str, Any]) -> None:
        """Create or change an object."""
        objects = self.contacts if kind == "contact" else self.appointments
        objects[id_] = {**objects.get(id_, {}), **fields}
        self.writes.append(f"{action} {kind} {id_}")

    def answer(self) -> None:
        """Answer a call, unless it is down or the credentials are refused."""
        if self.down:
            raise SinkUnavailable("The CRM does not answer.")
        if self.refuses:
            raise SinkBroken("The CRM refuses the token.", hint="Give it a new one.")


class CrmSink:
    """Writes contacts and appointments into a `Crm`, whose ids it makes from our keys."""

    def __init__(
        self,
        crm: Crm,
        start_from: StartFrom = "all",
        *,
        most: int = 1_000,
        mapping: str = "v1",
        rows: int = 5,
    ) -> None:
        self.crm = crm
        self.start_from = start_from
        self.most = most
        self.fingerprint = mapping
        self.batch_rows = rows
        self.batches: list[int] = []
        self._context: SinkContext | None = None

    def open(self, context: SinkContext, /) -> None:
        self.crm.answer()
        self.crm.connections += 1
        context.memory.claim(self.crm.account)
        self._context = context

    def check(self, context: SinkContext, /) -> None:
        assert context.memory.account() in {None, self.crm.account}
        self.crm.answer()

    def close(self) -> None:
        self._context = None

    def write(self, batch: Batch, /) -> WriteResult:
        self.crm.answer()
        self.batches.append(len(batch))
        if batch.stream.name != "appointments":
            return WriteResult(0, skipped=len(batch))
        done = {change.key: _Rows(self, batch, change).bring_about() for change in batch.changes}
        kinds = {key: {each.action for each in found} for key, found in done.items()}
        rejected = tuple(
            Rejection(each.key, "unknown-status", each.message)
            for found in done.values()
            for each in found
            if each.action == "reject"
        )
        skipped = sum("skip" in actions for actions in kinds.values())
        unchanged = sum(not actions for actions in kinds.values())
        applied = len(batch) - len(rejected) - skipped - unchanged
        return WriteResult(applied, unchanged, rejected, skipped)

    def preview(self, batch: Batch, /, *, taken: bool = False) -> Sequence[Difference]:
        self.crm.answer()
        if batch.stream.name != "appointments":
            return ()
        found = [_Rows(self, batch, change, really=False) for change in batch.changes]
        return [difference for rows in found for difference in rows.bring_about()]

    @property
    def context(self) -> SinkContext:
        """What it was opened with."""
        assert self._context is not None, "not open"
        return self._context


class _Rows:
    """One appointment on its way."""

    def __init__(self, sink: CrmSink, batch: Batch, change: Change, *, really: bool = True) -> None:
        self.sink, self.batch, self.change, self.really = sink, batch, change, really
        self.memory = sink.context.memory
        self.key = f"{batch.source}/{change.key}"
        self.known = self.memory.known("appointment", [self.key]).get(self.key)
        self.found: list[Difference] = []

    def bring_about(self) -> list[Difference]:
        row = self.change.row
        activation = self.memory.activation()
        assert activation is not None, "never without a consent"
        starts_from = activation.starts_from
        if row is None:
            self._cancel()
        elif row["status"] == "other":
            self._tell("reject", message="Its status is not known here.")
        elif self.known is None and starts_from and row["starts_at"] < starts_from:
            self._tell("skip", message="It starts before the beginning.")
        else:
            self._upsert(row, self._contact(row["contact_email"]))
        return self.found

    def _cancel(self) -> None:
        if self.known is None or self.known.remote_id is None:
            self._tell("skip", message="It is not there.")
            return
        self._do("appointment", "cancel", self.known.remote_id, {"status": "cancelled"})

    def _contact(self, email: str | None) -> str | None:
        if email is None:
            self.memory.notice("no-email", self.key, f"{self.key} has no e-mail address.")
            return None
        person = f"email:{email}"
        if person not in self.memory.aliases([person]):
            self._spend()
            self._do("contact", "create", f"c-{email}", {"email": email})
            known = Known(person, IdState.LINKED, f"c-{email}")
            self.memory.save("contact", [known], {person: person})
        return f"c-{email}"

    def _upsert(self, row: Mapping[str, Any], contact: str | None) -> None:
        fields = {"status": row["status"], "starts_at": row["starts_at"].isoformat()}
        fields["contact"] = contact or ""
        id_ = f"a-{self.change.key}"
        if self.known is None:
            self._spend()
            self._do("appointment", "create", id_, fields)
        else:
            present = self.sink.crm.appointments.get(id_, {})
            trusted = self.really and DOUBTED not in self.known.sent
            before = self.known.sent if trusted else present
            changed = {name: each for name, each in fields.items() if before.get(name) != each}
            if changed:
                self._do("appointment", "update", id_, changed)
        known = Known(self.key, IdState.LINKED, id_, sent=fields, contact=contact)
        self.memory.save("appointment", [known])

    def _spend(self) -> None:
        run = self.batch.stored[-1].run_id
        if not self.memory.spend(run, 1, self.sink.most):
            raise SinkHeld(f"It would create more than {self.sink.most}.")

    def _do(self, kind: str, action: Planned, id_: str, fields: Mapping[str, Any]) -> None:
        objects = self.sink.crm.contacts if kind == "contact" else self.sink.crm.appointments
        present = objects.get(id_, {})
        differing = tuple(FieldDifference(name, present.get(name), fields[name]) for name in fields)
        self._tell(action, kind, None if action == "create" else id_, differing)
        if self.really:
            self.sink.crm.put(kind, action, id_, fields)

    def _tell(
        self,
        action: Planned,
        kind: str = "appointment",
        remote_id: str | None = None,
        fields: tuple[FieldDifference, ...] = (),
        message: str = "",
    ) -> None:
        at = (self.batch.source, self.batch.stream.name, self.change.key)
        self.found.append(Difference(*at, kind, action, remote_id, fields, message))


class CrmSettings(BaseModel):
    """The section of a sink of type `crm`."""

    model_config = ConfigDict(extra="forbid")

    path: Path
    start_from: StartFrom
    max_creates_per_run: int = 1_000


class FileCrmSink(CrmSink):
    """A sink whose CRM lies in a file between one command and the next."""

    def __init__(self, settings: CrmSettings, folder: Path) -> None:
        self._file = folder / settings.path
        super().__init__(Crm(), settings.start_from, most=settings.max_creates_per_run)

    def open(self, context: SinkContext, /) -> None:
        self.crm = read(self._file)
        super().open(context)

    def check(self, context: SinkContext, /) -> None:
        self.crm = read(self._file)
        super().check(context)

    def write(self, batch: Batch, /) -> WriteResult:
        try:
            return super().write(batch)
        finally:
            save(self.crm, self._file)


def read(file: Path) -> Crm:
    """The CRM as it lies in its file."""
    return Crm(**json.loads(file.read_text())) if file.exists() else Crm()


def save(crm: Crm, file: Path) -> None:
    """Put the CRM into its file."""
    file.write_text(json.dumps(asdict(crm)))


connector = Connector("crm", "A CRM in a file.", CrmSettings, FileCrmSink)
