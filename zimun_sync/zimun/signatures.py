"""Signatures of webhooks: whether a request comes from who shares a secret with us.

`standard` is the Standard Webhooks convention (standardwebhooks.com); `hmac` is one header with
the HMAC-SHA256 of the body. Both work on bytes as they came.
"""

import contextlib
import hashlib
import hmac
import re
import secrets as chance
import time
from base64 import b64decode, b64encode
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from msgspec import Struct

from zimun_sync.errors import ZimunSyncError

Scheme = Literal["standard", "hmac"]

#: Headers of a request by name in lower case, both as bytes.
Headers = Mapping[bytes, bytes]

_PREFIX: Final = "whsec_"
_LEAST_BYTES, _FRESH_BYTES = 24, 32
_REMEDY: Final = "`zimun-sync webhooks secret` makes a good one"
_VERSION: Final = b"v1"
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
#: Ids that can stand in keys and be shown as they are; of any other the hash does.
_PLAIN_ID: Final = re.compile(rb"[!-~]{1,200}")
_MICROSECONDS: Final = 1_000_000


class SignatureRefused(ZimunSyncError):
    """A request is not taken for what it claims to be.

    Args:
        code: `missing-signature`, `malformed-signature`, `malformed-timestamp`,
            `wrong-signature`, `too-old` or `too-new`.
        message: what is wrong; the last two, told only of requests that are signed well, say by
            how many seconds.
        hint: what to do next.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Verified(Struct, frozen=True):
    """A request that was signed with one of our secrets.

    Args:
        event_id: what a repetition of the event has in common with it.
        sent_at: when it was sent, microseconds since the epoch, UTC; None if the scheme has no
            time.
    """

    event_id: str
    sent_at: int | None


class Signing(Protocol):
    """How webhooks are signed; see `WebhookSettings`."""

    @property
    def scheme(self) -> Scheme:
        """`standard` or `hmac`."""

    @property
    def header(self) -> str:
        """Header of the signature, for `hmac`."""

    @property
    def prefix(self) -> str:
        """What stands before the signature, for `hmac`."""

    @property
    def encoding(self) -> Literal["hex", "base64"]:
        """How the signature is written, for `hmac`."""

    @property
    def tolerance(self) -> float:
        """Largest difference between an event's time and our clock, seconds, for `standard`."""


class Verifier(Protocol):
    """Tells requests that are signed with one of its secrets from all others. Thread safe."""

    def verify(self, headers: Headers, body: bytes) -> Verified:
        """Look at one request; nothing is kept of it.

        Raises:
            SignatureRefused: it is not signed, not well, or not now; nothing else, whatever
                comes.
        """
        ...


def verifier(
    signing: Signing, secrets: Sequence[str], clock: Callable[[], float] = time.time
) -> Verifier:
    """What verifies webhooks signed with any of the secrets.

    Args:
        signing: how they are signed.
        secrets: all that are in use; several while they are rotated.
        clock: seconds since the epoch.

    Raises:
        ValueError: a secret cannot be used; the message does not show it.
    """
    keys = tuple(usable_secret(secret, signing.scheme) for secret in secrets)
    if signing.scheme == "standard":
        return _Standard(keys, signing.tolerance, clock)
    decode = unhexlify if signing.encoding == "hex" else _unbase64
    return _Plain(keys, signing.header.lower().encode(), signing.prefix.encode(), decode)


def usable_secret(secret: str, scheme: Scheme) -> bytes:
    """The key that a secret stands for.

    Args:
        secret: `whsec_` and base64 for `standard`; for `hmac` any text, taken as it is.
        scheme: `standard` or `hmac`.

    Raises:
        ValueError: it is written wrongly or too short; the message does not show it.
    """
    key = _decoded(secret) if scheme == "standard" else secret.encode(errors="surrogatepass")
    if len(key) < _LEAST_BYTES:
        msg = (
            f"has {len(key)} bytes, where {_LEAST_BYTES} are needed to keep forgers out; {_REMEDY}"
        )
        raise ValueError(msg)
    return key


def fresh_secret() -> str:
    """A secret that nobody has, good for both schemes."""
    return _PREFIX + b64encode(chance.token_bytes(_FRESH_BYTES)).decode()


def _decoded(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # of base64, or of text that is not ASCII
        key = None
    if key is None or text == secret:
        msg = f"is not {_PREFIX} followed by base64; {_REMEDY}"
        raise ValueError(msg)
    return key


def _unbase64(signature: bytes) -> bytes:
    return b64decode(signature, validate=True)


@dataclass(frozen=True, slots=True)
class _Standard:
    """Standard Webhooks: id, time and body are signed, by `v1,` and base64."""

    keys: Sequence[bytes] = field(repr=False)
    tolerance: float
    clock: Callable[[], float]

    def verify(self, headers: Headers, body: bytes) -> Verified:
        name, stamp, signatures = (
            _required(headers, header)
            for header in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
        )
        if not _TIMESTAMP.fullmatch(stamp):
            raise SignatureRefused(
                "malformed-timestamp", "The header webhook-timestamp is not in whole seconds."
            )
        split = (each.partition(b",") for each in signatures.split())
        given = [signature for version, _, signature in split if version == _VERSION]
        _require(_digests(given, _unbase64), self.keys, b"%b.%b.%b" % (name, stamp, body))
        # Only now: a stranger learns nothing of our clock.
        self._require_now(int(stamp))
        return Verified(_shown(name), int(stamp) * _MICROSECONDS)

    def _require_now(self, sent: int) -> None:
        ahead = sent - self.clock()
        if abs(ahead) <= self.tolerance:
            return
        code, side = ("too-new", "ahead of") if ahead > 0 else ("too-old", "behind")
        raise SignatureRefused(
            code,
            f"It is signed well, but its timestamp is {abs(ahead):.0f} s {side} our clock, "
            f"where {self.tolerance:g} s are tolerated.",
            hint="Check this machine's clock; if it is right, the event was held up or replayed.",
        )


@dataclass(frozen=True, slots=True)
class _Plain:
    """One header with the body's HMAC; the same body is the same event."""

    keys: Sequence[bytes] = field(repr=False)
    header: bytes
    prefix: bytes
    decode: Callable[[bytes], bytes]

    def verify(self, headers: Headers, body: bytes) -> Verified:
        given = _required(headers, self.header)
        if not given.startswith(self.prefix):
            given = b""
        _require(_digests([given.removeprefix(self.prefix)], self.decode), self.keys, body)
        return Verified(hashlib.sha256(body).hexdigest(), None)


def _required(headers: Headers, name: bytes) -> bytes:
    value = headers.get(name)
    if not value:
        raise SignatureRefused("missing-signature", f"The header {name.decode()} is missing.")
    return value


def _digests(signatures: Sequence[bytes], decode: Callable[[bytes], bytes]) -> list[bytes]:
    """What the signatures say; one that is not written as it should be says nothing."""
    found = []
    for signature in signatures:
        with contextlib.suppress(ValueError):
            found.append(decode(signature))
    if not any(found):
        raise SignatureRefused(
            "malformed-signature",
            "The signature is not written as agreed.",
            hint="Compare the source's setting `webhook` with how the sender signs.",
        )
    return found


def _require(digests: Sequence[bytes], keys: Sequence[bytes], content: bytes) -> None:
    """Refuse unless a key makes one of the digests; takes as long wherever they differ."""
    matched = False
    for key in keys:
        expected = hmac.digest(key, content, "sha256")
        for digest in digests:
            matched |= hmac.compare_digest(expected, digest)
    if not matched:
        raise SignatureRefused(
            "wrong-signature",
            "The signature was made with another secret, or of another content.",
            hint="Compare the secret here with the one that the webhook was registered with.",
        )


def _shown(name: bytes) -> str:
    if _PLAIN_ID.fullmatch(name):
        return name.decode()
    return f"sha256:{hashlib.sha256(name).hexdigest()}"
