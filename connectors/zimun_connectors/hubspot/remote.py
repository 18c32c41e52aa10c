"""HubSpot as a remote system: contacts, and meetings or appointments tied to them."""

from collections.abc import Mapping, Sequence
from typing import Final

from zimun_connectors.hubspot import owners, properties
from zimun_connectors.hubspot.access import caller_of
from zimun_connectors.hubspot.api import Api
from zimun_connectors.hubspot.config import HubspotSettings
from zimun_connectors.hubspot.links import Associations
from zimun_connectors.hubspot.lookups import Lookups
from zimun_connectors.hubspot.writes import Writes
from zimun_sync.remotes.contract import (
    Abilities,
    Account,
    By,
    Found,
    Item,
    Kind,
    Linking,
    Outcome,
    Owner,
    Pair,
    RemoteContext,
)

#: Most inputs of a batch call.
BATCH: Final = 100


class HubspotRemote:
    """One portal, by its date-versioned API. See `zimun_sync.remotes.contract.Remote`.

    It creates by upserts on our key, so a create may be repeated, and looks up by batch reads,
    which see everything written; only phone numbers take a search, whose index lags.
    """

    abilities: Final = Abilities(
        batch=BATCH,
        linking=Linking.CALL,
        finds=frozenset(
            {(Kind.CONTACT, By.KEY), (Kind.CONTACT, By.EMAIL), (Kind.APPOINTMENT, By.KEY)}
        ),
        safe_creates=frozenset(Kind),
        upserts=frozenset(Kind),
    )

    def __init__(self, settings: HubspotSettings) -> None:
        self._settings = settings
        self._caller = caller_of(settings)
        self._api = Api(self._caller, settings.api_version)
        self._lookups = Lookups(self._api, settings.key_property)
        self._writes = Writes(self._api, self._lookups, settings.key_property, _mark(settings))
        self._links = Associations(self._api, settings.object)

    def connect(self, context: RemoteContext, /) -> Account:
        """Read which portal the credentials open, and that it has what the mapping fills."""
        self._caller.begin(context.called, context.stop)
        details = self._api.details()
        properties.check(self._api, self._settings)
        portal = str(details["portalId"])
        name = details.get("portalName") or details.get("uiDomain") or "HubSpot"
        return Account(portal, f"{name}, portal {portal}")

    def prepare(self) -> None:
        """Make the properties of our key and of the mark, where they are missing."""
        properties.prepare(self._api, self._settings)

    def close(self) -> None:
        """Let go of connections."""
        self._caller.close()

    def find(
        self, kind: Kind, by: By, values: Sequence[str], fields: Sequence[str], /
    ) -> Mapping[str, Sequence[Found]]:
        """Objects by key or e-mail, as they are; by phone, as the search index has them."""
        find = {
            By.KEY: self._lookups.by_key,
            By.EMAIL: self._lookups.by_email,
            By.PHONE: self._lookups.by_phone,
        }[by]
        return find(self._type(kind), values, fields)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Found]:
        """Objects by id; a merged contact's former id gives the survivor."""
        return self._lookups.by_id(self._type(kind), ids, fields)

    def create(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Create objects by an upsert on our key. Idempotent."""
        return self._writes.create(self._type(kind), items)

    def update(self, kind: Kind, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Write fields of objects by id. Idempotent."""
        return self._writes.update(self._type(kind), items)

    def archive(self, items: Sequence[Item], /) -> Sequence[Outcome]:
        """Put appointments into HubSpot's recycle bin. Idempotent."""
        return self._writes.archive(self._settings.object, items)

    def erase(self, ids: Sequence[str], /) -> Mapping[str, str]:
        """Delete contacts for good, as HubSpot does it for the GDPR. Idempotent."""
        return self._writes.erase(ids)

    def link(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Associate appointments with their contacts. Idempotent."""
        return self._links.link(pairs)

    def unlink(self, pairs: Sequence[Pair], /) -> Sequence[Outcome]:
        """Take associations away. Idempotent."""
        return self._links.unlink(pairs)

    def owners_by_email(self, emails: Sequence[str], /) -> Mapping[str, Owner]:
        """Owners by lower-case e-mail address."""
        return owners.owners_by_email(self._api, emails)

    def owners_by_id(self, ids: Sequence[str], /) -> Mapping[str, Owner]:
        """Owners by id."""
        return owners.owners_by_id(self._api, ids)

    def _type(self, kind: Kind) -> str:
        return self._settings.object_type(kind)


def _mark(settings: HubspotSettings) -> dict[str, str]:
    if settings.source_property is None:
        return {}
    return {settings.source_property: settings.source_value}
