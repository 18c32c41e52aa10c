"""Who asked to be forgotten, as keyed digests: nothing here tells an address or a number.

A digest is BLAKE2b (RFC 7693) with a key that the state made for itself and nobody else has.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, get_args

from msgspec import Struct

from zimun_sync.normalize.places import phone

#: What a person is known by: an e-mail address, a telephone number, a record that somebody named;
#: and a record that was found to be theirs, as long as it names nobody else.
Kind = Literal["email", "phone", "id", "record"]
KINDS: Final[frozenset[Kind]] = frozenset(get_args(Kind))

_DIGEST_BYTES: Final = 16
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")


class Suppressions(Struct, frozen=True):
    """Digests of what people who asked to be forgotten are known by.

    Args:
        key: of the digests.
        digests: of every address, number and record.
        kinds: those that there are digests of.
        source: whose records are looked at.
        strict: whether a record that mentions someone anywhere is theirs.
    """

    key: bytes = b""
    digests: frozenset[bytes] = frozenset()
    kinds: frozenset[Kind] = KINDS
    source: str = ""
    strict: bool = False

    def __bool__(self) -> bool:
        return bool(self.digests)

    def name(self, kind: Kind, value: str) -> bool:
        """Whether someone is suppressed by this address or number."""
        return kind in self.kinds and digest_of(self.key, kind, value) in self.digests

    def names_record(self, kind: Kind, stream: str, key: str) -> bool:
        """Whether someone is suppressed by a record of the source."""
        return self.name(kind, record_name(self.source, stream, key))

    def any_phone(self, given: str, region: str | None) -> bool:
        """Whether someone is suppressed by this number, however it is written."""
        if "phone" not in self.kinds:
            return False
        return any(self.name("phone", each) for each in spellings(given, (region,)))

    def fingerprint(self) -> str:
        """Changes whenever someone is added."""
        joined = b"".join(sorted(self.digests)) + (b"strict" if self.strict else b"")
        return blake2b(joined, key=self.key, digest_size=_DIGEST_BYTES).hexdigest()


def record_name(source: str, stream: str, key: str) -> str:
    """A record among those of every source and stream."""
    return f"{source}/{stream}/{key}"


@lru_cache(maxsize=262_144)
def digest_of(key: bytes, kind: Kind, value: str) -> bytes:
    """What stands for an address, a number or a key, whatever their case and blanks."""
    same = value.strip().casefold() if kind == "email" else value.strip()
    content = f"{kind}:{same}".encode(errors="surrogatepass")
    return blake2b(content, key=key, digest_size=_DIGEST_BYTES).digest()


def spellings(number: str, regions: Iterable[str | None]) -> Iterator[str]:
    """A telephone number as records may have it.

    Args:
        number: as somebody wrote it.
        regions: ISO 3166-1 alpha-2 countries whose rules may read it.

    Yields:
        E.164 where it can be told, and the bare digits, once each.
    """
    found = [phone(number, region) for region in regions]
    found += [_NOT_DIGITS.sub("", number)]
    yield from dict.fromkeys(each for each in found if each)


def digests_of(
    key: bytes,
    emails: Collection[str],
    phones: Collection[str],
    ids: Collection[str],
    regions: Iterable[str | None],
) -> dict[bytes, Kind]:
    """What stands for a person in the state.

    Args:
        key: the state's own.
        emails: addresses of the person.
        phones: telephone numbers of the person.
        ids: records about the person, by `record_name`.
        regions: countries whose rules may read a number without country code.
    """
    numbers = [each for number in phones for each in spellings(number, (*regions, None))]
    given: dict[Kind, Collection[str]] = {"email": emails, "phone": numbers, "id": ids}
    return {digest_of(key, kind, value): kind for kind, values in given.items() for value in values}
