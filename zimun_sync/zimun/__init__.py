"""The only code that knows the Zimun API: `ZimunClient`, its settings, pages and types."""

from zimun_sync.zimun.client import ZimunClient
from zimun_sync.zimun.exchange import Waiting
from zimun_sync.zimun.models import (
    Appointment,
    Availability,
    Contact,
    Hold,
    HoldRequest,
    Location,
    Organization,
    Price,
    Resource,
    Service,
    Slot,
    Staff,
    Webhook,
)
from zimun_sync.zimun.pages import Offered, Page, TokenTrail, read_offered
from zimun_sync.zimun.settings import ClientSettings, Paths
from zimun_sync.zimun.signatures import (
    SignatureRefused,
    Signing,
    Verified,
    Verifier,
    fresh_secret,
    usable_secret,
    verifier,
)
from zimun_sync.zimun.timing import Timing

__all__ = [
    "Appointment",
    "Availability",
    "ClientSettings",
    "Contact",
    "Hold",
    "HoldRequest",
    "Location",
    "Offered",
    "Organization",
    "Page",
    "Paths",
    "Price",
    "Resource",
    "Service",
    "SignatureRefused",
    "Signing",
    "Slot",
    "Staff",
    "Timing",
    "TokenTrail",
    "Verified",
    "Verifier",
    "Waiting",
    "Webhook",
    "ZimunClient",
    "fresh_secret",
    "read_offered",
    "usable_secret",
    "verifier",
]
