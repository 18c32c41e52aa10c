"""What a system can do, told by the requests that a section has."""

from collections.abc import Collection, Mapping
from typing import Final

from zimun_connectors.http.config import HttpSettings
from zimun_connectors.http.requests import WriteSettings
from zimun_connectors.http.sections import HttpObjectSettings
from zimun_sync.remotes.contract import Abilities, By, Kind, Linking

#: Most rows of a call where each is a request of its own, so that a call ends in reasonable time.
_MOST_SINGLE: Final = 20


def abilities_of(settings: HttpSettings) -> Abilities:
    """What these requests can do."""
    sections: dict[Kind, HttpObjectSettings] = {
        Kind.CONTACT: settings.contact,
        Kind.APPOINTMENT: settings.appointment,
    }
    safe = frozenset(
        kind
        for kind, section in sections.items()
        if section.create and all(_is_safe(settings, step) for step in section.create)
    )
    finds = frozenset(
        (kind, by)
        for kind, section in sections.items()
        for by in By
        if (steps := getattr(section.find, by.value)) and not (by is By.KEY and steps[-1].lags)
    )
    return Abilities(
        batch=_batch(sections, {kind for kind in sections if not _is_settled(kind, safe, finds)}),
        linking=_linking(settings),
        finds=finds,
        safe_creates=safe,
    )


def _is_settled(kind: Kind, safe: Collection[Kind], finds: Collection[tuple[Kind, By]]) -> bool:
    """Whether a create that was cut off can be told from one that never arrived."""
    return kind in safe or (kind, By.KEY) in finds


def _batch(sections: Mapping[Kind, HttpObjectSettings], unsettled: Collection[Kind]) -> int:
    lookups = [
        step.batch
        for section in sections.values()
        for steps in (section.read, section.find.key, section.find.email, section.find.phone)
        for step in steps
    ]
    writes = [
        step.batch for section in sections.values() for step in (*section.create, *section.update)
    ]
    most = max([1, *lookups, *writes])
    if 1 in writes:
        most = min(most, _MOST_SINGLE)
    # A create that can neither be repeated nor looked up travels with no more than its request.
    alone = [step.batch for kind in unsettled for step in sections[kind].create]
    return min([most, *alone])


def _is_safe(settings: HttpSettings, step: WriteSettings) -> bool:
    by_header = settings.idempotency_header is not None and step.batch == 1
    return step.safe or by_header or step.method == "GET"


def _linking(settings: HttpSettings) -> Linking:
    if not settings.has_contacts:
        return Linking.NONE
    return Linking.CALL if settings.appointment.link else Linking.FIELD
