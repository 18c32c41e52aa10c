"""Salesforce as a remote: contacts and events of one organization."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from zimun_connectors.salesforce.bulk import Bulk
from zimun_connectors.salesforce.config import SalesforceSettings
from zimun_connectors.salesforce.failures import after_a_write
from zimun_connectors.salesforce.fields import DURATION, END, START, Table, tables
from zimun_connectors.salesforce.lookups import Finds, Lookups, found_of
from zimun_connectors.salesforce.org import Org
from zimun_connectors.salesforce.outcomes import Action
from zimun_connectors.salesforce.records import Record, Records
from zimun_connectors.salesforce.schema import check_table
from zimun_connectors.salesforce.signing import SignIn
from zimun_connectors.salesforce.values import from_json
from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    By,
    Found,
    Gone,
    Item,
    Kind,
    Linking,
    Outcome,
    Owner,
    Refused,
    RemoteContext,
)

#: Records that Salesforce itself works off at once in a bulk job. A first load goes by few jobs
#: then, and what a failure has it look at again stays bounded.
_BULK_BATCH: Final = 10_000
_BATCH: Final = 2_000


class SalesforceRemote:
    """Contacts and events of one Salesforce organization.

    Args:
        settings: the sink's.
    """

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings
        self._tables = tables(settings)
        self._sign_in = SignIn(settings)
        self._session: _Session | None = None
        self._bulk: Bulk | None = None
        self._is_checked = False

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        kinds = frozenset({Kind.CONTACT, Kind.APPOINTMENT})
        return Abilities(
            batch=_BATCH if self._settings.bulk_above is None else _BULK_BATCH,
            linking=Linking.FIELD,
            finds=frozenset(
                {(kind, By.KEY) for kind in kinds}
                | {(Kind.CONTACT, By.EMAIL), (Kind.CONTACT, By.PHONE)}
            ),
            safe_creates=kinds,
            upserts=kinds,
        )

    def connect(self, context: RemoteContext, /) -> Account:
        """Sign in, and see that every field that is written is there.

        Raises:
            SinkUnavailable: not now; also while a bulk job of this sink is under way.
            SinkBroken: refused credentials, a missing field or right.
        """
        self.close()
        org, account = self._sign_in.sign_in(context)
        self._session = _Session(org, self._settings)
        if not self._is_checked:
            for table in self._tables.values():
                check_table(org, table)
            self._is_checked = True
        self._bulk = self._bulk or Bulk(context.now)
        self._bulk.look(org)
        return account

    def prepare(self) -> None:
        """Nothing: a person makes the fields, and `connect` has seen them."""

    def close(self) -> None:
        """Let go of connections; bulk jobs under way are kept in mind."""
        session, self._session = self._session, None
        if session is not None:
            session.org.close()

    def find(self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /) -> Finds:
        """Every record with one of these values, by value."""
        table, lookups = self._tables[kind], self._opened.lookups
        if not values:
            return {}
        match by:
            case By.KEY:
                return lookups.by_key(table, values, fields)
            case By.EMAIL if kind is Kind.CONTACT:
                return lookups.by_email(table, values, fields)
            case By.PHONE if kind is Kind.CONTACT:
                return lookups.by_phone(table, values, fields)
        msg = f"{kind} cannot be found by {by}"
        raise ValueError(msg)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """Records by id; a merged contact's former id finds the one it was merged into."""
        table, session = self._tables[kind], self._opened
        records = session.records.read(table, ids, fields)
        found = {asked: found_of(record, fields) for asked, record in records.items()}
        missing = [each for each in ids if each not in found]
        if kind is not Kind.CONTACT or not missing:
            return found
        masters = session.lookups.survivors(table, missing)
        survivors = self.read(kind, sorted(set(masters.values())), fields) if masters else {}
        return found | {
            loser: survivors[master] for loser, master in masters.items() if master in survivors
        }

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Upsert by our key."""
        return self._write(self._tables[kind], Action.CREATE, items)

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Update by id."""
        table = self._tables[kind]
        if kind is Kind.CONTACT:
            return self._write(table, Action.UPDATE, items)
        return self._told_apart(items, self._write(table, Action.UPDATE, self._timed(items)))

    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Move events to the recycle bin."""
        table = self._tables[Kind.APPOINTMENT]
        return list(self._opened.records.write(table, Action.DELETE, items).values())

    def owners_by_email(self, emails: Sequence[str], /) -> Mapping[str, Owner]:
        """Users by lower-case e-mail address."""
        return self._opened.lookups.users_by_email(emails)

    def owners_by_id(self, ids: Sequence[str], /) -> Mapping[str, Owner]:
        """Users by id."""
        return self._opened.lookups.users_by_id(ids)

    @property
    def _opened(self) -> "_Session":
        if self._session is None:
            msg = "connect first"
            raise RuntimeError(msg)
        return self._session

    def _write(self, table: Table, action: Action, items: Sequence[Item]) -> list[Outcome]:
        """Write by a bulk job what is much, and everything else in collections."""
        session, bulk = self._opened, self._bulk
        if bulk is None or not self._may_go_in_bulk(table):
            return list(session.records.write(table, action, items).values())
        outcomes, undone = bulk.answers(session.org, table, action, items)
        left = [item for item in items if item.key not in outcomes]
        new = [item for item in left if item.key not in undone]
        if len(new) > (self._settings.bulk_above or 0):
            with after_a_write() if outcomes else nullcontext():
                bulk.submit(session.org, table, action, new)
        outcomes |= session.records.write(table, action, left, underway=bool(outcomes))
        bulk.forget(table, action)
        return list(outcomes.values())

    def _may_go_in_bulk(self, table: Table) -> bool:
        """Bulk jobs know no header that lets duplicates pass."""
        passes_over = self._settings.allow_duplicates and table.kind is Kind.CONTACT
        return self._settings.bulk_above is not None and not passes_over

    def _timed(self, items: Sequence[Item]) -> list[Item]:
        """The items, each with start and length if it has one of them: they have to agree."""
        asked = [item.id for item in items if item.id and _lacks_times(item)]
        if not asked:
            return list(items)
        table = self._tables[Kind.APPOINTMENT]
        present = self._opened.records.read(table, asked, [START, DURATION])
        return [_with_times(item, present.get(item.id or "")) for item in items]

    def _told_apart(self, items: Sequence[Item], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Salesforce says in one way that an event is gone, and that its new contact is."""
        tied = {item.key: item.id for item in items if item.id and item.retied and item.contact_id}
        asked = [tied[each.key] for each in outcomes if isinstance(each, Gone) and each.key in tied]
        if not asked:
            return list(outcomes)
        there = self._opened.records.read(self._tables[Kind.APPOINTMENT], asked, [])
        return [
            Refused(each.key, "contact-gone", "The contact is gone.")
            if isinstance(each, Gone) and tied.get(each.key) in there
            else each
            for each in outcomes
        ]


class _Session:
    """What is at hand while it is connected."""

    def __init__(self, org: Org, settings: SalesforceSettings) -> None:
        self.org = org
        self.lookups = Lookups(org, settings.phone_fields)
        self.records = Records(
            org, settings.records_per_call, allow_duplicates=settings.allow_duplicates
        )


def _lacks_times(item: Item) -> bool:
    lengths = [DURATION in item.fields, END in item.fields]
    return (START in item.fields) != any(lengths)


def _with_times(item: Item, present: Record | None) -> Item:
    if present is None or not _lacks_times(item):
        return item
    missing = DURATION if START in item.fields else START
    times: dict[str, Any] = {missing: from_json(present[missing])}
    return replace(item, fields={**times, **item.fields})
