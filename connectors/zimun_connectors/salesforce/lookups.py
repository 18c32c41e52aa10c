"""Finding records by key, e-mail address and phone number, and users."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from zimun_connectors.salesforce import soql
from zimun_connectors.salesforce.fields import DEFAULTS, Table
from zimun_connectors.salesforce.org import Org
from zimun_connectors.salesforce.phones import Phones, pattern
from zimun_connectors.salesforce.values import field_values
from zimun_sync.remotes.contract import Found, Kind, Owner

#: Phone numbers above which it may be cheaper to read all of them than to ask for each.
_MANY_PHONES: Final = 500
#: About so many phone numbers fit into one query, and so many records on one page.
_PHONES_A_QUERY, _RECORDS_A_PAGE = 60, 2_000

_RECORD_ID: Final = re.compile(r"[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")

Finds = Mapping[str, Sequence[Found]]


class Lookups:
    """Look-ups in one organization; they see everything that is committed there.

    Args:
        org: signed in to.
        phone_fields: the contact's fields that a phone number is looked for in.
    """

    def __init__(self, org: Org, phone_fields: Sequence[str]) -> None:
        self._org = org
        self._phone_fields = phone_fields

    def by_key(self, table: Table, keys: Sequence[str], fields: Sequence[str]) -> Finds:
        """Records by our key. Events older than a year too, which a plain query leaves out."""
        found: dict[str, list[Found]] = defaultdict(list)
        archived = table.kind is Kind.APPOINTMENT
        for condition in soql.any_of(table.key_field, keys):
            where = f"{condition} AND IsDeleted = false" if archived else condition
            query = soql.select([table.key_field, *fields], table.name, where)
            what = f"finding {table.name} by key"
            for record in self._org.query(query, what, everything=archived):
                key = field_values(record, [table.key_field])[table.key_field]
                found[key].append(found_of(record, fields))
        return {key: found[key] for key in keys if key in found}

    def by_email(self, table: Table, emails: Sequence[str], fields: Sequence[str]) -> Finds:
        """Contacts by e-mail address in lower case."""
        email = DEFAULTS.email_field
        found: dict[str, list[Found]] = defaultdict(list)
        for condition in soql.any_of(email, emails):
            query = soql.select([email, *fields], table.name, condition)
            for record in self._org.query(query, "finding contacts by e-mail"):
                found[record[email].strip().lower()].append(found_of(record, fields))
        return {value: found[value] for value in emails if value in found}

    def by_phone(self, table: Table, phones: Sequence[str], fields: Sequence[str]) -> Finds:
        """Contacts by phone number in E.164, however it is spelled there."""
        wanted = Phones(phones)
        found: dict[str, dict[str, Found]] = defaultdict(dict)
        for condition in self._phone_conditions(table, phones):
            query = soql.select([*self._phone_fields, *fields], table.name, condition)
            for record in self._org.query(query, "finding contacts by phone number"):
                here = found_of(record, fields)
                for phone in self._phones_of(record, wanted):
                    found[phone][here.id] = here
        return {phone: list(each.values()) for phone, each in found.items()}

    def users_by_email(self, emails: Sequence[str]) -> Mapping[str, Owner]:
        """Users by e-mail address; where several share one, the only active one, if it is one."""
        users: dict[str, list[Owner]] = defaultdict(list)
        for condition in soql.any_of("Email", emails):
            where = f"{condition} AND UserType = 'Standard'"
            query = soql.select(["Email", "IsActive"], "User", where)
            for record in self._org.query(query, "finding users by e-mail"):
                user = Owner(record["Id"], active=record["IsActive"])
                users[record["Email"].strip().lower()].append(user)
        meant = {email: _only(each) for email, each in users.items()}
        return {email: user for email, user in meant.items() if user and email in emails}

    def users_by_id(self, ids: Sequence[str]) -> Mapping[str, Owner]:
        """Users by the id they were asked for by, of 15 or 18 characters."""
        likely = [each for each in ids if _RECORD_ID.fullmatch(each)]
        users: dict[str, Owner] = {}
        for condition in soql.any_of("Id", likely):
            query = soql.select(["IsActive"], "User", condition)
            for record in self._org.query(query, "finding users by id"):
                users[record["Id"][:15]] = Owner(record["Id"], active=record["IsActive"])
        return {each: users[each[:15]] for each in likely if each[:15] in users}

    def survivors(self, table: Table, ids: Sequence[str]) -> Mapping[str, str]:
        """Of deleted records those that were merged: the id of what each was merged into."""
        masters: dict[str, str] = {}
        for condition in soql.any_of("Id", ids):
            where = f"{condition} AND IsDeleted = true AND MasterRecordId != null"
            query = soql.select(["MasterRecordId"], table.name, where)
            for record in self._org.query(query, "following merges", everything=True):
                masters[record["Id"]] = record["MasterRecordId"]
        return masters

    def _phone_conditions(self, table: Table, phones: Sequence[str]) -> Iterator[str]:
        filled = " OR ".join(f"{field} != null" for field in self._phone_fields)
        if len(phones) > _MANY_PHONES:
            count = f"SELECT COUNT() FROM {table.name} WHERE {filled}"  # noqa: S608 - SOQL
            contacts = self._org.count(count, "counting phone numbers")
            if contacts // _RECORDS_A_PAGE <= len(phones) // _PHONES_A_QUERY:
                return iter([filled])
        likes = (
            f"{field} LIKE {soql.literal(pattern(phone))}"
            for phone in phones
            for field in self._phone_fields
        )
        return soql.either(likes)

    def _phones_of(self, record: Mapping[str, Any], wanted: Phones) -> set[str]:
        typed = field_values(record, list(self._phone_fields)).values()
        return {phone for number in typed if number for phone in wanted.meant_by(number)}


def found_of(record: Mapping[str, Any], fields: Sequence[str]) -> Found:
    """A record as the engine takes it."""
    return Found(record["Id"], field_values(record, list(fields)))


def _only(users: Sequence[Owner]) -> Owner | None:
    """The one user that is meant; None where several could be."""
    active = [user for user in users if user.active]
    likely = active or users
    return likely[0] if len(likely) == 1 else None
