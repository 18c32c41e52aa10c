"""Which fields of an object have to be written, by what we wrote last and what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zimun_sync.ids import DOUBTED
from zimun_sync.remotes.mapping import Mapped, Rule, Write
from zimun_sync.remotes.values import coerced, digest, is_empty, same

#: Fields as a remote has them now, by name.
Present = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an object should hold.

    Args:
        mapped: its fields' rules.
        values: values by field; see `Mapped.values`.
        sent: what was written last, by field: the digest, or several after a write was cut off.
        forced: fields to write because a detail of the person was corrected.
        thorough: whether what is there is compared even where nothing changed here.
    """

    mapped: Mapped
    values: Mapping[str, Any]
    sent: Mapping[str, str] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()
    thorough: bool = False

    def needs_present(self) -> bool:
        """Whether it takes a look at what is there to know what to write."""
        return any(self._asks(rule) for rule in self._rules())

    def to_create(self) -> dict[str, Any]:
        """Every field that a new object gets."""
        return {name: value for name, value in self.values.items() if value is not None}

    def to_update(self, present: Present) -> dict[str, Any]:
        """The fields to write. `present` may be empty unless `needs_present`."""
        return {
            rule.field: self.values[rule.field]
            for rule in self._rules()
            if self._is_due(rule, present)
        }

    def about_to(self, written: Mapping[str, Any]) -> dict[str, str]:
        """The digests to remember before those fields are written: of what may be there then."""
        doubtful = {
            name: " ".join(sorted({*self._sent(name), mark(value)}))
            for name, value in written.items()
        }
        return {**self.sent, **doubtful}

    def sent_after(self, written: Mapping[str, Any], present: Present) -> dict[str, str]:
        """The digests to remember once those fields are written.

        A field that was found filled counts as written; one that somebody edited keeps the
        digests by which that can be told.

        Args:
            written: the fields.
            present: as for `to_update`.
        """
        after = {name: value for name, value in self.sent.items() if name != DOUBTED}
        for name, value in self.values.items():
            is_so = name in present and same(present[name], value)
            if name in written or name not in after or is_so:
                after[name] = mark(value)
        return after

    @property
    def _looks(self) -> bool:
        """Whether what is there is compared even where nothing changed here."""
        return self.thorough or DOUBTED in self.sent

    def _rules(self) -> list[Rule]:
        return [rule for rule in self.mapped.rules if rule.field in self.values]

    def _sent(self, name: str) -> set[str]:
        """Digests of what we wrote last; of several values where a write was cut off."""
        return set(self.sent.get(name, "").split())

    def _is_settled(self, rule: Rule) -> bool:
        """Whether what we want is what we wrote last."""
        return self._sent(rule.field) == {mark(self.values[rule.field])}

    def _is_doubtful(self, rule: Rule) -> bool:
        return len(self._sent(rule.field)) > 1

    def _asks(self, rule: Rule) -> bool:
        if self._is_settled(rule):
            return self._looks and rule.write is Write.ALWAYS
        if rule.field in self.forced:
            return self._looks
        is_sure = rule.write is not Write.UNLESS_EDITED and not self._is_doubtful(rule)
        return self._looks or rule.field not in self.sent or not is_sure

    def _is_due(self, rule: Rule, present: Present) -> bool:
        value, there = self.values[rule.field], present.get(rule.field)
        if self._is_settled(rule):
            return self._looks and rule.write is Write.ALWAYS and not same(there, value)
        if rule.field in self.forced:
            return True
        if rule.field not in self.sent or self._is_doubtful(rule):
            is_ours = is_empty(there) or self._wrote(rule, there)
            return not same(there, value) and (is_ours or rule.write is Write.ALWAYS)
        if rule.write is Write.UNLESS_EDITED:
            return is_empty(there) or self._wrote(rule, there)
        return rule.write is Write.ALWAYS

    def _wrote(self, rule: Rule, there: Any) -> bool:
        """Whether a value there is one that we wrote."""
        return mark(coerced(there, self.values[rule.field])) in self._sent(rule.field)


def mark(value: Any) -> str:
    """What is remembered of a value that was written; a word without spaces."""
    return digest(value) or "none"
