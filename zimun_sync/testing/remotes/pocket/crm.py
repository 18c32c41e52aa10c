"""The little CRM as programs see it: each method is one request, and one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zimun_sync.remotes.contract import Linking
from zimun_sync.testing.remotes.pocket.storage import Storage
from zimun_sync.testing.remotes.pocket.words import (
    FIELDS,
    STATUSES,
    PocketObject,
    PocketRefusal,
    PocketRules,
    Result,
)

#: Refusals that concern one object alone, even where a bad one spoils a whole call.
_OF_ONE = {"gone", "stale", "exists"}


class PocketCrm:
    """One account of the little CRM.

    Every method raises `PocketDown` when a fault was planned for it.

    Args:
        path: its file; None keeps it in memory, for as long as this object lives.
        rules: what kind of system it is.
    """

    def __init__(self, path: Path | None = None, rules: PocketRules | None = None) -> None:
        self.rules = rules or PocketRules()
        self.storage = Storage(path)

    def close(self) -> None:
        """Let go of its file."""
        self.storage.db.close()

    def account(self) -> str:
        """Whose system it is."""
        with self.storage.request("account"):
            return self.storage.fact("account") or "pocket-1"

    def users(self) -> list[tuple[str, str, bool]]:
        """Id, e-mail address and whether active, of everyone who works here."""
        with self.storage.request("users"):
            rows = self.storage.db.execute("SELECT id, email, active FROM users").fetchall()
        return [(row[0], row[1], bool(row[2])) for row in rows]

    def prepare(self) -> None:
        """Make the field that keeps a foreign key, if there is none."""
        if not self.storage.fact("prepared"):
            with self.storage.request("prepare", 1):
                self.storage.set_fact("prepared", "yes")

    def search(self, kind: str, by: str, values: Sequence[str]) -> list[PocketObject]:
        """Objects by `key`, `email` (in lower case) or `phone`."""
        with self.storage.request(f"search {kind}"):
            return self.storage.search(kind, by, values, indexed=self.rules.search_lags)

    def get(self, kind: str, ids: Sequence[str]) -> dict[str, PocketObject]:
        """Objects by id; a merged one's id gives the one it was merged into."""
        with self.storage.request(f"get {kind}"):
            found = {each: self.storage.survivor(kind, each) for each in ids}
        return {each: present for each, present in found.items() if present is not None}

    def insert(self, kind: str, drafts: Sequence[PocketObject]) -> list[Result]:
        """Make objects; a result a draft."""
        return self._write(f"insert {kind}", drafts, lambda draft: self._insert(kind, draft))

    def change(self, kind: str, changes: Sequence[PocketObject]) -> list[Result]:
        """Write the given fields of objects that are there; None empties one."""
        return self._write(f"change {kind}", changes, lambda change: self._change(kind, change))

    def cancel(self, changes: Sequence[PocketObject]) -> list[Result]:
        """Cancel appointments; other fields that are given are written too."""
        return self._write("cancel appointment", changes, self._cancel)

    def archive(self, ids: Sequence[str]) -> list[Result]:
        """Take appointments away."""
        return self._write("archive appointment", ids, self._archive)

    def tie(self, pairs: Sequence[tuple[str, str]]) -> list[Result]:
        """Tie appointments to contacts, by their ids."""
        return self._write("tie", pairs, self._tie)

    def untie(self, pairs: Sequence[tuple[str, str]]) -> list[Result]:
        """Undo that."""
        return self._write("untie", pairs, self._untie)

    def _write(
        self, call: str, items: Sequence[Any], write: Callable[[Any], PocketObject]
    ) -> list[Result]:
        if len(items) > self.rules.batch:
            raise PocketRefusal("too-many", f"A call takes at most {self.rules.batch} objects.")
        with self.storage.request(call, len(items)):
            return [self._tried(write, item) for item in items]

    def _tried(self, write: Callable[[Any], PocketObject], item: Any) -> Result:
        try:
            with self.storage.all_or_nothing():
                return write(item)
        except PocketRefusal as refusal:
            if self.rules.atomic and refusal.code not in _OF_ONE:
                raise
            return refusal

    def _insert(self, kind: str, draft: PocketObject) -> PocketObject:
        twin = self._made_before(kind, draft)
        if twin is not None:
            return twin
        if self.rules.keeps_keys and not self.storage.fact("prepared"):
            raise PocketRefusal("unknown-field", "There is no field for a foreign key.")
        if not self.rules.keeps_keys:
            draft = replace(draft, key=None)
        given = {"status": "booked"} if kind == "appointment" else {}
        fields = self._checked(kind, {**given, **draft.fields}, {})
        made = self.storage.add(kind, replace(draft, fields=fields))
        self._tie_by_field(made.id, draft.contact_ids)
        return made

    def _made_before(self, kind: str, draft: PocketObject) -> PocketObject | None:
        """What an earlier try of this create made; turned away if another create did."""
        if self.rules.knows_tokens:
            for twin in self.storage.search(kind, "token", [draft.token]):
                return twin
        if self.rules.keeps_keys:
            for other in self.storage.search(kind, "key", [draft.key or ""]):
                raise PocketRefusal("exists", f"{other.id} has that key.", other.id)
        if self.rules.unique_emails:
            for other in self.storage.search(kind, "email", [searched(draft, "email")]):
                raise PocketRefusal("exists", f"{other.id} has that address.", other.id)
        return None

    def _change(self, kind: str, change: PocketObject) -> PocketObject:
        present = self._present(kind, change.id)
        if self.rules.wants_versions and change.version != present.version:
            raise PocketRefusal("stale", f"{change.id} has revision {present.version} now.")
        changed = self.storage.put(present, self._checked(kind, change.fields, present.fields))
        if kind == "appointment":
            self._tie_by_field(change.id, change.contact_ids)
        return changed

    def _cancel(self, change: PocketObject) -> PocketObject:
        fields = {**change.fields, "status": "cancelled"}
        return self._change("appointment", replace(change, fields=fields))

    def _archive(self, object_id: str) -> PocketObject:
        present = self._present("appointment", object_id)
        self.storage.take_away(object_id, "archived")
        return present

    def _tie(self, pair: tuple[str, str]) -> PocketObject:
        appointment = self._present("appointment", pair[0])
        self._present("contact", pair[1])
        self.storage.tie(pair[0], [pair[1]])
        return appointment

    def _untie(self, pair: tuple[str, str]) -> PocketObject:
        self.storage.untie(*pair)
        return PocketObject(pair[0], {})

    def _tie_by_field(self, object_id: str, contact_ids: tuple[str, ...] | None) -> None:
        if self.rules.linking is Linking.FIELD and contact_ids is not None:
            for contact_id in contact_ids:
                if self.storage.one("contact", contact_id) is None:
                    raise PocketRefusal("no-such-contact", f"There is no contact {contact_id}.")
            self.storage.untie(object_id)
            self.storage.tie(object_id, contact_ids)

    def _present(self, kind: str, object_id: str) -> PocketObject:
        present = self.storage.one(kind, object_id)
        if present is None:
            raise PocketRefusal("gone", f"There is no {kind} {object_id}.")
        return present

    def _checked(
        self, kind: str, given: Mapping[str, Any], present: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The fields as they are kept; refuses what no system would take."""
        for name in given.keys() - FIELDS[kind]:
            raise PocketRefusal("unknown-field", f"A {kind} has no field {name!r}.")
        whole = {**present, **given}
        starts_at, ends_at = whole.get("starts_at"), whole.get("ends_at")
        if starts_at and ends_at and ends_at < starts_at:
            raise PocketRefusal("invalid-times", "It ends before it starts.")
        if kind == "appointment" and whole.get("status") not in STATUSES:
            raise PocketRefusal("invalid-status", f"A status is one of {', '.join(STATUSES)}.")
        marker = self.storage.fact("refused")
        if marker and any(marker in str(value) for value in whole.values()):
            raise PocketRefusal("invalid-value", f"The value {marker!r} is not valid here.")
        ignored = self.storage.fact("ignored")
        return {name: value for name, value in given.items() if name != ignored}


def searched(each: PocketObject, by: str) -> str:
    """The text that a search looks at; e-mail addresses are searched for in lower case."""
    text = str((each.key if by == "key" else each.fields.get(by)) or "")
    return text.lower() if by == "email" else text
