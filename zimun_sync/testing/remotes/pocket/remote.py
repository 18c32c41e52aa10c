"""The little CRM as a `Remote`: all that the engine has to know of a system."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    BatchRefused,
    By,
    Done,
    Exists,
    Found,
    Gone,
    Item,
    Kind,
    NotSent,
    Outcome,
    Owner,
    Pair,
    Refused,
    RemoteContext,
    Stale,
)
from zimun_sync.testing.remotes.pocket.crm import PocketCrm, searched
from zimun_sync.testing.remotes.pocket.words import (
    PocketDown,
    PocketObject,
    PocketRefusal,
    PocketUnreachable,
    Result,
)

_Each = TypeVar("_Each", Item, Pair)


class PocketRemote:
    """Speaks the CRM's protocol: looks up, writes what it is given, tells what became of it.

    Args:
        crm: the system. A connector to a real one has a `Caller` here.
    """

    def __init__(self, crm: PocketCrm) -> None:
        self._crm = crm
        self._context: RemoteContext | None = None

    @property
    def abilities(self) -> Abilities:
        """As the system's rules are."""
        rules = self._crm.rules
        by = [By.EMAIL, By.PHONE, *([By.KEY] if rules.keeps_keys else [])]
        found = {(Kind.CONTACT, each) for each in by}
        if rules.keeps_keys:
            found |= {(Kind.APPOINTMENT, By.KEY)}
        return Abilities(
            batch=rules.batch,
            linking=rules.linking,
            finds=frozenset() if rules.search_lags else frozenset(found),
            safe_creates=frozenset(Kind) if rules.knows_tokens else frozenset(),
        )

    def connect(self, context: RemoteContext, /) -> Account:
        """Ask whose system it is."""
        self._context = context
        with self._calling():
            account = self._crm.account()
        return Account(account, f"Pocket CRM {account}")

    def prepare(self) -> None:
        """Make the field that keeps our key."""
        if self._crm.rules.keeps_keys:
            with self._calling():
                self._crm.prepare()

    def close(self) -> None:
        """Nothing is held between calls."""
        self._context = None

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /
    ) -> Mapping[str, Sequence[Found]]:
        """One search for all values; what it finds is sorted by them again."""
        with self._calling():
            present = self._crm.search(kind, by, values)
        found: dict[str, list[Found]] = {value: [] for value in values}
        for each in present:
            found[searched(each, by)].append(_found(each, fields))
        return found

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """One request by ids."""
        with self._calling():
            present = self._crm.get(kind, ids)
        return {each: _found(there, fields) for each, there in present.items()}

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """One request for all of them; the token makes a repetition harmless."""
        drafts = [_object(item) for item in items]
        return self._told(items, lambda: self._crm.insert(kind, drafts))

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """One request for all of them."""
        changes = [_object(item) for item in items]
        return self._told(items, lambda: self._crm.change(kind, changes))

    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """One request for all of them."""
        ids = [str(item.id) for item in items]
        return self._told(items, lambda: self._crm.archive(ids))

    def link(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """One request for all of them."""
        return self._told(pairs, lambda: self._crm.tie(_ids(pairs)))

    def unlink(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """One request for all of them."""
        return self._told(pairs, lambda: self._crm.untie(_ids(pairs)))

    def owners_by_email(self, emails: Sequence[str], /) -> Mapping[str, Owner]:
        """From the list of everyone who works there."""
        return {email: owner for email, owner in self._users() if email in set(emails)}

    def owners_by_id(self, ids: Sequence[str], /) -> Mapping[str, Owner]:
        """From the list of everyone who works there."""
        return {owner.id: owner for _, owner in self._users() if owner.id in set(ids)}

    def _users(self) -> list[tuple[str, Owner]]:
        with self._calling():
            users = self._crm.users()
        return [(email.lower(), Owner(user_id, active)) for user_id, email, active in users]

    def _told(self, items: Sequence[_Each], write: Callable[[], Sequence[Result]]) -> list[Outcome]:
        """Make a writing call and tell what became of each item."""
        with self._calling():
            results = write()
        return [_outcome(item, result) for item, result in zip(items, results, strict=True)]

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """One call: counted against the daily budget, its failures in the engine's words."""
        if self._context is not None:
            self._context.called()
        try:
            yield
        except PocketUnreachable as error:
            raise NotSent(f"Pocket CRM: {error}.") from error
        except PocketDown as error:
            raise SinkUnavailable(f"Pocket CRM: {error}.") from error
        except PocketRefusal as refusal:
            raise BatchRefused(refusal.code, refusal.message) from refusal


class CancellingPocketRemote(PocketRemote):
    """The same, where a cancellation is a call of its own."""

    def cancel(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """One request for all of them; a cancelled one stays cancelled."""
        changes = [_object(item) for item in items]
        return self._told(items, lambda: self._crm.cancel(changes))


def pocket_remote(crm: PocketCrm) -> PocketRemote:
    """The remote that fits the system's rules."""
    return (CancellingPocketRemote if crm.rules.cancels_by_call else PocketRemote)(crm)


def _object(item: Item) -> PocketObject:
    return PocketObject(
        id=item.id or "",
        fields=item.fields,
        version=None if item.version is None else int(item.version),
        key=item.key,
        token=item.token,
        contact_ids=_contact_ids(item),
    )


def _contact_ids(item: Item) -> tuple[str, ...] | None:
    """Whom it is to be tied to; None where that stays as it is, maybe as somebody edited it."""
    if item.id is not None and not item.retied:
        return None
    return () if item.contact_id is None else (item.contact_id,)


def _found(present: PocketObject, fields: Sequence[str]) -> Found:
    values = {name: present.fields.get(name) for name in fields}
    return Found(present.id, values, str(present.version))


def _outcome(item: Item | Pair, result: Result) -> Outcome:
    if isinstance(result, PocketObject):
        return Done(item.key, result.id, str(result.version))
    match result.code:
        case "gone":
            return Gone(item.key)
        case "stale":
            return Stale(item.key)
        case "exists":
            return Exists(item.key, result.object_id)
        case code:
            return Refused(item.key, code, result.message)


def _ids(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(pair.appointment_id, pair.contact_id) for pair in pairs]
