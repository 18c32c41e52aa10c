"""Finding and reading objects: batch reads see everything written, a search what is indexed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zimun_connectors.hubspot.api import Api, results_of, troubles_of
from zimun_connectors.hubspot.phones import national, same_numbers
from zimun_connectors.hubspot.values import read
from zimun_sync.remotes.contract import Found

Result = Mapping[str, Any]

_PAGE: Final = 200
#: HubSpot's own normalized numbers: with country code, and as its search knows them.
_FULL_NUMBERS: Final = ("hs_calculated_phone_number", "hs_calculated_mobile_number")
_SEARCHED_NUMBERS: Final = (
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
)
_TYPED_NUMBERS: Final = ("phone", "mobilephone")
_EMAILS: Final = ("email", "hs_additional_emails")


@dataclass(frozen=True, slots=True)
class _Answered:
    """What a batch read found, and what it said was not there."""

    results: list[Result]
    missing: set[str]


class Lookups:
    """Looks objects up. Writes nothing.

    Args:
        api: the portal's.
        key_property: the property that keeps our key.
    """

    def __init__(self, api: Api, key_property: str) -> None:
        self._api = api
        self._key_property = key_property

    def by_key(
        self, kind: str, keys: Sequence[str], fields: Sequence[str]
    ) -> dict[str, list[Found]]:
        """Objects by our key. None in a portal that does not have the property yet."""
        name = self._key_property
        results = self._batch(kind, keys, [*fields, name], name).results
        return _grouped(results, keys, fields, lambda found: [_text(found, name)])

    def by_email(
        self, kind: str, emails: Sequence[str], fields: Sequence[str]
    ) -> dict[str, list[Found]]:
        """Contacts by e-mail address, further addresses of a merged contact included."""
        results = self._batch(kind, emails, [*fields, *_EMAILS], "email").results
        return _grouped(results, emails, fields, _emails_of)

    def by_phone(
        self, kind: str, phones: Sequence[str], fields: Sequence[str]
    ) -> dict[str, list[Found]]:
        """Contacts by phone or mobile number; those written just now may be missing."""
        asked = [*fields, *_FULL_NUMBERS, *_TYPED_NUMBERS]
        results = self._searched(kind, sorted({national(phone) for phone in phones}), asked)
        return _grouped(
            results, phones, fields, lambda found: same_numbers(_numbers_of(found), phones)
        )

    def by_id(self, kind: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Found]:
        """Objects by the id they are asked for by; that of a merged one finds the survivor."""
        answered = self._batch(kind, ids, fields)
        results = {_id(result): result for result in answered.results}
        found = {asked: _found(results[asked], fields) for asked in ids if asked in results}
        for asked in ids:
            if asked not in found and asked not in answered.missing:
                # An answer does not tell which id led to a survivor: asked for alone, it does.
                for result in self._batch(kind, [asked], fields).results:
                    found[asked] = _found(result, fields)
        return found

    def _batch(
        self, kind: str, values: Sequence[str], names: Sequence[str], by: str | None = None
    ) -> _Answered:
        """Objects with one of these values, or ids."""
        body: dict[str, Any] = {
            "properties": list(dict.fromkeys(names)),
            "propertiesWithHistory": [],
            "inputs": [{"id": value} for value in values],
        }
        if by is not None:
            body["idProperty"] = by
        answer = self._api.batch(kind, "read", body)
        if answer.ok:
            troubles = troubles_of(answer)
            missing = {each for trouble in troubles for each in trouble.context.get("ids", ())}
            return _Answered(results_of(answer), missing)
        if len(values) == 1 or self._lacks(kind, by):
            return _Answered([], set(values))  # a value that HubSpot does not take is nobody's
        middle = len(values) // 2
        first = self._batch(kind, values[:middle], names, by)
        second = self._batch(kind, values[middle:], names, by)
        return _Answered(first.results + second.results, first.missing | second.missing)

    def _lacks(self, kind: str, name: str | None) -> bool:
        """Whether it is our key that nothing can have yet: a preview makes no property."""
        return name == self._key_property and self._api.property(kind, name) is None

    def _searched(
        self, kind: str, numbers: Sequence[str], names: Sequence[str]
    ) -> Iterator[Result]:
        filters = [
            {"filters": [{"propertyName": name, "operator": "IN", "values": list(numbers)}]}
            for name in _SEARCHED_NUMBERS
        ]
        body: dict[str, Any] = {
            "filterGroups": filters,
            "properties": list(dict.fromkeys(names)),
            "limit": _PAGE,
        }
        after: str | None = "0"
        while after is not None:
            page = self._api.search(kind, {**body, "after": after})
            yield from page.get("results") or []
            after = next_page(page)


def next_page(page: Mapping[str, Any]) -> str | None:
    """Where the page after this one begins; None after the last."""
    following = (page.get("paging") or {}).get("next") or {}
    after = following.get("after")
    return None if after is None else str(after)


def _grouped(
    results: Iterable[Result],
    values: Sequence[str],
    fields: Sequence[str],
    values_of: Callable[[Result], Iterable[str]],
) -> dict[str, list[Found]]:
    """The results by those of the values that they have, each once."""
    wanted = set(values)
    found: dict[str, dict[str, Found]] = defaultdict(dict)
    for result in results:
        for value in wanted.intersection(values_of(result)):
            found[value][_id(result)] = _found(result, fields)
    return {value: list(several.values()) for value, several in found.items()}


def _found(result: Result, fields: Sequence[str]) -> Found:
    return Found(_id(result), read(result.get("properties") or {}, fields))


def _id(result: Result) -> str:
    return str(result["id"])


def _text(result: Result, name: str) -> str:
    return str((result.get("properties") or {}).get(name) or "")


def _emails_of(result: Result) -> Iterator[str]:
    for name in _EMAILS:
        yield from (part.strip().lower() for part in _text(result, name).split(";"))


def _numbers_of(result: Result) -> list[str]:
    return [_text(result, name) for name in (*_FULL_NUMBERS, *_TYPED_NUMBERS)]
