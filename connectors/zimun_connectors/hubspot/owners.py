"""The portal's owners: the users that a meeting or an appointment can belong to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zimun_connectors.hubspot.api import Api
from zimun_connectors.hubspot.lookups import next_page
from zimun_sync.remotes.contract import Owner


def owners_by_email(api: Api, emails: Sequence[str]) -> dict[str, Owner]:
    """Owners by lower-case e-mail address; an active one before a deactivated one."""
    return _owners(api, emails, lambda each: str(each.get("email") or "").lower())


def owners_by_id(api: Api, ids: Sequence[str]) -> dict[str, Owner]:
    """Owners by id."""
    return _owners(api, ids, lambda each: str(each["id"]))


def _owners(
    api: Api, wanted: Sequence[str], name_of: Callable[[Mapping[str, Any]], str]
) -> dict[str, Owner]:
    found: dict[str, Owner] = {}
    for archived in (False, True):
        # HubSpot has no call for several owners: the whole list is a page, rarely two.
        for each in _listed(api, archived=archived) if set(wanted) - found.keys() else ():
            name = name_of(each)
            if name in wanted:
                found.setdefault(name, Owner(str(each["id"]), active=not archived))
    return found


def _listed(api: Api, *, archived: bool) -> Iterator[Mapping[str, Any]]:
    page = api.owners(archived=archived, after=None)
    yield from page.get("results") or []
    while (after := next_page(page)) is not None:
        page = api.owners(archived=archived, after=after)
        yield from page.get("results") or []
