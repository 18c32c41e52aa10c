"""Keyed hashes of values: equal for equal values everywhere, and not to be undone."""

import hmac
from dataclasses import dataclass, field
from typing import Final

from zimun_sync.privacy.kinds import is_address

#: A shorter key could be found by trying.
LEAST_BYTES: Final = 16
_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class HashKey:
    """A key, and the number by which its hashes are known.

    Args:
        version: a whole number, as text.
        secret: at least `LEAST_BYTES` bytes.
    """

    version: str
    secret: bytes = field(repr=False)

    def hash_text(self, column: str, text: str) -> str:
        """`v1:` and 32 hex digits of HMAC-SHA256; an empty text stays empty.

        Upper and lower case of an e-mail address, and blanks around any value, make no difference.

        Args:
            column: the column's name.
            text: its value.
        """
        bare = text.strip()
        if not bare:
            return ""
        same = bare.casefold() if is_address(column, bare) else bare
        digest = hmac.digest(self.secret, same.encode(errors="surrogatepass"), "sha256")
        return f"v{self.version}:{digest.hex()[:_DIGITS]}"
