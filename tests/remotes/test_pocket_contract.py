"""The little CRM passes the contract of remote connectors, in every kind that systems come in.

Kinds of which a real system passes it in every run (Odoo, Square, CalDAV) are left to the
thorough one.
"""

from pathlib import Path

from tests.thorough import THOROUGH
from zimun_sync.remotes.contract import Linking
from zimun_sync.testing.remotes import Lack, RemoteContract
from zimun_sync.testing.remotes.pocket import PocketRules
from zimun_sync.testing.remotes.pocket.harness import PocketHarness


class PocketContract(RemoteContract):
    rules = PocketRules()
    lacks: frozenset[Lack] = frozenset()

    def harness(self, folder: Path, address: str = "") -> PocketHarness:
        path = Path(address) if address else folder / "pocket.sqlite"
        return PocketHarness(path, self.rules, self.lacks)


class TestPocket(PocketContract):
    """Links by calls, keys, tokens, batches: like HubSpot."""


class TestFieldPocket(PocketContract):
    """The contact is a field of the appointment, a bad row spoils a batch, nothing is unique."""

    rules = PocketRules(
        linking=Linking.FIELD, batch=7, keeps_keys=False, atomic=True, cancels_by_call=True
    )


class TestStrictPocket(PocketContract):
    """One row at a time, revisions, unique addresses, no tokens."""

    rules = PocketRules(
        linking=Linking.FIELD,
        batch=1,
        knows_tokens=False,
        unique_emails=True,
        wants_versions=True,
    )
    lacks = frozenset({Lack.TWINS})


class TestCalendarPocket(PocketContract):
    """No contacts at all: like a calendar."""

    rules = PocketRules(linking=Linking.NONE, batch=1)
    lacks = frozenset({Lack.CONTACTS, Lack.TWINS, Lack.MERGE})


class TestForgetfulPocket(PocketContract):
    """It keeps no key, knows no token and its search lags: nobody can tell what arrived."""

    rules = PocketRules(keeps_keys=False, knows_tokens=False, search_lags=True)
    lacks = frozenset({Lack.SURE_APPOINTMENTS, Lack.SURE_CONTACTS})


if not THOROUGH:
    del TestFieldPocket, TestStrictPocket, TestCalendarPocket
