"""Tying appointments to contacts: HubSpot's default association between the two."""

from collections.abc import Sequence
from typing import Any

from zimun_connectors.hubspot.api import Api, troubles_of
from zimun_connectors.hubspot.config import CONTACTS
from zimun_connectors.hubspot.troubles import Trouble, trouble_of
from zimun_sync.remotes.calls import Answer
from zimun_sync.remotes.contract import BatchRefused, Done, Gone, Outcome, Pair, Refused


class Associations:
    """Associates one type of objects with contacts.

    Args:
        api: the portal's.
        kind: HubSpot's name of the type.
    """

    def __init__(self, api: Api, kind: str) -> None:
        self._api = api
        self._kinds = (kind, CONTACTS)

    def link(self, pairs: Sequence[Pair]) -> list[Outcome]:
        """Associate each pair; one that is associated already stays so."""
        inputs = [
            {"from": {"id": pair.appointment_id}, "to": {"id": pair.contact_id}} for pair in pairs
        ]
        answer = self._api.associations(self._kinds, "associate/default", inputs)
        return _outcomes(pairs, answer, missing_is_done=False)

    def unlink(self, pairs: Sequence[Pair]) -> list[Outcome]:
        """Take every association of each pair away."""
        inputs: list[dict[str, Any]] = [
            {"from": {"id": pair.appointment_id}, "to": [{"id": pair.contact_id}]} for pair in pairs
        ]
        answer = self._api.associations(self._kinds, "archive", inputs)
        return _outcomes(pairs, answer, missing_is_done=True)


def _outcomes(pairs: Sequence[Pair], answer: Answer, *, missing_is_done: bool) -> list[Outcome]:
    """One outcome a pair: an error names one or both of its ids.

    Raises:
        BatchRefused: the call was refused as a whole, or an error names no pair.
    """
    troubles = troubles_of(answer) if answer.ok else [trouble_of(answer)]
    outcomes: dict[str, Outcome] = {pair.key: Done(pair.key, pair.appointment_id) for pair in pairs}
    for trouble in troubles:
        meant = [pair for pair in pairs if answer.ok and _is_meant(pair, trouble)]
        if not meant and len(pairs) > 1:
            raise BatchRefused(trouble.code, trouble.message)
        for pair in meant or pairs:
            if not (trouble.is_missing and missing_is_done):
                outcomes[pair.key] = _refused(pair, trouble)
    return list(outcomes.values())


def _refused(pair: Pair, trouble: Trouble) -> Outcome:
    if trouble.is_missing:
        return Gone(pair.key)
    return Refused(pair.key, trouble.code, trouble.message)


def _is_meant(pair: Pair, trouble: Trouble) -> bool:
    """Whether an error is this pair's: the ids that it names are the pair's."""
    named = [
        (set(values), _side(pair, name))
        for name, values in trouble.context.items()
        if name.lower().rstrip("s").endswith(("id", "from", "to"))
    ]
    return bool(named) and all(ids <= ours for ids, ours in named)


def _side(pair: Pair, name: str) -> set[str]:
    """Which ids of a pair a name such as `fromObjectId` can mean; types count ids apart."""
    if name.lower().startswith("from"):
        return {pair.appointment_id}
    if name.lower().startswith("to"):
        return {pair.contact_id}
    return {pair.appointment_id, pair.contact_id}
