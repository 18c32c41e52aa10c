"""The little CRM's file: one SQLite database, so that a killed process' successor finds it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Final

from zimun_sync.testing.remotes.pocket.faults import Fault, Faults, die
from zimun_sync.testing.remotes.pocket.words import (
    INSTANTS,
    PocketDown,
    PocketObject,
    PocketUnreachable,
)

_OBJECTS: Final = (
    "objects (id TEXT PRIMARY KEY, kind TEXT, key TEXT, token TEXT, version INTEGER, fields TEXT,"
    " state TEXT DEFAULT 'live', merged_into TEXT, indexed INTEGER DEFAULT 0)"
)
_TABLES: Final = (
    _OBJECTS,
    "ties (appointment TEXT, contact TEXT, PRIMARY KEY (appointment, contact))",
    "users (id TEXT PRIMARY KEY, email TEXT NOT NULL, active INTEGER NOT NULL)",
    "facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "calls (call TEXT NOT NULL, objects INTEGER NOT NULL)",
)
#: What an object can be looked up by, as an SQL expression.
_SEARCHED: Final = {
    "id": "id",
    "key": "key",
    "token": "nullif(token, '')",
    "email": "lower(json_extract(fields, '$.email'))",
    "phone": "json_extract(fields, '$.phone')",
}


class Storage:
    """Objects, ties, facts and the log of calls.

    Args:
        path: the file; None keeps everything in memory, for as long as this object lives.
    """

    def __init__(self, path: Path | None) -> None:
        where = ":memory:" if path is None else str(path)
        # Deliveries run on threads of their own; the lock keeps them one after the other.
        self.db = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
        # It has to outlive a killed process, not a power cut.
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        for table in _TABLES:
            self.db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        for name, searched in _SEARCHED.items():
            self.db.execute(f"CREATE INDEX IF NOT EXISTS by_{name} ON objects (kind, {searched})")
        self.faults = Faults(self.db)
        self._lock = RLock()

    @contextmanager
    def request(self, call: str, objects: int = 0) -> Iterator[None]:
        """One call: counted, in one transaction, and with whatever fault is due.

        Raises:
            PocketDown: a fault made it fail.
        """
        with self._lock:
            self.db.execute("INSERT INTO calls VALUES (?, ?)", (call, objects))
            fault = self.faults.met_by(call)
            if fault is Fault.KILL_BEFORE:
                die()
            if fault is Fault.REFUSED_CONNECTION:
                raise PocketUnreachable("connection refused")
            if fault is Fault.UNAVAILABLE:
                raise PocketDown("503 Service Unavailable")
            with self.transaction():
                yield
            if fault is Fault.KILL_AFTER:
                die()
            if fault is Fault.COMMIT_THEN_FAIL:
                raise PocketDown("500 Internal Server Error")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        with self._lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """One object of a call, without what was half done of it."""
        self.db.execute("SAVEPOINT object")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO object")
            raise
        finally:
            self.db.execute("RELEASE object")

    def fact(self, name: str) -> str:
        """Something that is known of the system; empty if it is not."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Let it be known of the system."""
        self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def one(self, kind: str, object_id: str) -> PocketObject | None:
        """A live object."""
        found = self.search(kind, "id", [object_id])
        return found[0] if found else None

    def live(self, kind: str) -> list[PocketObject]:
        """Every live object, oldest first."""
        return self._objects("kind = ? AND state = 'live' ORDER BY rowid", (kind,))

    def search(
        self, kind: str, by: str, values: Sequence[str], *, indexed: bool = False
    ) -> list[PocketObject]:
        """Live objects with one of these values, e-mail addresses in lower case.

        Args:
            kind: contact or appointment.
            by: id, key, token, email or phone.
            values: what is looked for.
            indexed: leave out what is too new for searches.
        """
        places = ", ".join("?" for _ in values)
        condition = f"{_SEARCHED[by]} IN ({places}) AND indexed >= ?"
        where = f"kind = ? AND state = 'live' AND {condition}"
        return self._objects(where, (kind, *values, indexed))

    def survivor(self, kind: str, object_id: str) -> PocketObject | None:
        """A live object, or the one that it was merged into."""
        select = "SELECT merged_into FROM objects WHERE kind = ? AND id = ?"
        row = self.db.execute(select, (kind, object_id)).fetchone()
        if row is None or row[0] is None:
            return self.one(kind, object_id)
        return self.survivor(kind, row[0])

    def add(self, kind: str, draft: PocketObject) -> PocketObject:
        """A new object with an id of its own."""
        (last,) = self.db.execute("SELECT coalesce(max(rowid), 0) FROM objects").fetchone()
        made = replace(draft, id=f"{kind[0]}{last + 1}", version=1)
        values = (made.id, kind, made.key, made.token, made.version, _dumped(made.fields))
        insert = "INSERT INTO objects (id, kind, key, token, version, fields)"
        self.db.execute(f"{insert} VALUES (?, ?, ?, ?, ?, ?)", values)
        return made

    def put(self, present: PocketObject, fields: Mapping[str, Any]) -> PocketObject:
        """Other values for some fields of an object, and its next revision."""
        merged = replace(
            present, fields={**present.fields, **fields}, version=(present.version or 0) + 1
        )
        update = "UPDATE objects SET fields = ?, version = ? WHERE id = ?"
        self.db.execute(update, (_dumped(merged.fields), merged.version, merged.id))
        return merged

    def take_away(self, object_id: str, state: str, merged_into: str | None = None) -> None:
        """An object that is archived, deleted or merged: nobody finds it any more."""
        update = "UPDATE objects SET state = ?, merged_into = ? WHERE id = ?"
        self.db.execute(update, (state, merged_into, object_id))

    def tie(self, appointment_id: str, contact_ids: Sequence[str]) -> None:
        """Tie an appointment to contacts, beside those it is tied to."""
        pairs = [(appointment_id, each) for each in contact_ids]
        self.db.executemany("INSERT OR IGNORE INTO ties VALUES (?, ?)", pairs)

    def untie(self, appointment_id: str, contact_id: str | None = None) -> None:
        """Untie an appointment from a contact, or from all of them."""
        delete = "DELETE FROM ties WHERE appointment = ? AND contact = coalesce(?, contact)"
        self.db.execute(delete, (appointment_id, contact_id))

    def _tied_to(self, appointment_id: str) -> tuple[str, ...]:
        """Only to contacts that are still there."""
        select = (
            "SELECT contact FROM ties JOIN objects ON id = contact"
            " WHERE appointment = ? AND state = 'live' ORDER BY contact"
        )
        return tuple(row[0] for row in self.db.execute(select, (appointment_id,)).fetchall())

    def _objects(self, where: str, values: Sequence[str | bool]) -> list[PocketObject]:
        # Conditions are made of this module's own words.
        select = f"SELECT id, fields, version, key, token FROM objects WHERE {where}"  # noqa: S608
        return [
            PocketObject(row[0], _loaded(row[1]), row[2], row[3], row[4], self._tied_to(row[0]))
            for row in self.db.execute(select, values).fetchall()
        ]


def _dumped(fields: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in fields.items() if value not in (None, "")}
    return json.dumps(kept, default=_spelled)


def _spelled(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _loaded(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    instants = {name: datetime.fromisoformat(fields[name]) for name in INSTANTS if name in fields}
    return fields | instants
