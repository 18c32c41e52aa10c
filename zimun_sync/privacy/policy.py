"""Which policy applies to which column."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from zimun_sync.model import APPOINTMENTS, DERIVED, Column, ColumnType, Stream


class Policy(StrEnum):
    """What a sink is shown of a column."""

    ALLOW = "allow"  #: the value
    DROP = "drop"  #: null
    MASK = "mask"  #: a little of it, for people to recognize
    HASH = "hash"  #: what is equal for equal values, and tells nothing else without the key


_ANY_TYPE: Final = frozenset({Policy.ALLOW, Policy.DROP})
_WITH_TEXT: Final = frozenset({ColumnType.TEXT, ColumnType.JSON})


def fits(policy: Policy, kind: ColumnType) -> bool:
    """Whether a column of that type can have the policy."""
    return policy in _ANY_TYPE or kind in _WITH_TEXT


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one sink.

    Args:
        personal: of every personal column that is not named. Columns that it does not fit, such as
            a promoted number that should be masked, are dropped.
        columns: of columns by name, by stream; those of appointments count for their versions too.
    """

    personal: Policy = Policy.ALLOW
    columns: Mapping[str, Mapping[str, Policy]] = field(default_factory=dict)

    def of(self, stream: Stream) -> dict[str, Policy]:
        """The policy of each column that is not shown as it is, by name."""
        named = self.columns.get(APPOINTMENTS.name if stream.name in DERIVED else stream.name, {})
        found = {each.name: self._of(each, named) for each in stream.filled}
        return {name: policy for name, policy in found.items() if policy is not Policy.ALLOW}

    def _of(self, column: Column, named: Mapping[str, Policy]) -> Policy:
        default = self.personal if column.personal else Policy.ALLOW
        policy = named.get(column.name, default)
        return policy if fits(policy, column.type) else Policy.DROP
