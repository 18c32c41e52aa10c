"""What a user says of a source's fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec

from zimun_sync.normalize.promotions import Promotions
from zimun_sync.normalize.rows import DIGEST_BYTES
from zimun_sync.normalize.suppressions import Suppressions

#: Raised whenever the same raw content may give another row than before.
NORMALIZER_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's words on a source's fields.

    Args:
        fields: source field names by stream and canonical column.
        statuses: canonical status by the source's status.
        phone_region: ISO 3166-1 alpha-2 region for national numbers where no place says one.
        promote: further fields that become columns, by stream and column.
        forgotten: people who asked to be forgotten.
    """

    fields: Mapping[str, Mapping[str, tuple[str, ...]]]
    statuses: Mapping[str, str]
    phone_region: str | None = None
    promote: Mapping[str, Promotions] = field(default_factory=dict)
    forgotten: Suppressions = field(default_factory=Suppressions)

    def fingerprint(self) -> str:
        """Changes whenever a normalized row might."""
        content = (NORMALIZER_VERSION, self.fields, self.statuses, self.phone_region)
        # What is not used leaves the fingerprint as it was before there was such a thing.
        promoted = (self.promote,) if any(self.promote.values()) else ()
        forgotten = (self.forgotten.fingerprint(),) if self.forgotten else ()
        packed = msgspec.msgpack.Encoder(order="sorted").encode(content + promoted + forgotten)
        return blake2b(packed, digest_size=DIGEST_BYTES).hexdigest()
