"""What an address says about the way to it."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds tell a machine its credentials, beside the link-local address that most use.
_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)
#: IPv6 that stands for the IPv4 address in its last four bytes: what translators turn into it
#: (RFC 6052, RFC 2765), and the deprecated "IPv4-compatible" form.
_TRANSLATED: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
#: A network's own translation (RFC 8215), wherever it puts the IPv4 address.
_OWN_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
#: No part of the internet, which not every release of Python knows: former site-local addresses,
#: segments of routes, documentation.
_INSIDE: Final = (
    _OWN_TRANSLATION,
    *map(ipaddress.IPv6Network, ("fec0::/10", "5f00::/16", "3fff::/20")),
)


def is_loopback(url: str) -> bool:
    """Whether an address is on this very machine, so that nothing travels."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_exposed(url: str) -> bool:
    """Whether what is sent there can be read on the way."""
    return urlsplit(url).scheme == "http" and not is_loopback(url)


def literal(host: str) -> IP | None:
    """The IP address that a host is in any spelling, or that `localhost` is; None for a name."""
    if host.rstrip(".").lower() == "localhost":
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _short(host)


def kind_of(address: IP) -> tuple[str, bool]:
    """What an address is, if not an ordinary one of the internet, and whether that can be allowed.

    Returns:
        An empty kind for an ordinary address.
    """
    meant = _meant(address)
    if any(each.is_link_local or each in _METADATA for each in meant):
        return "link-local, as clouds' metadata services are", False
    if any(each.is_multicast or each.is_unspecified for each in meant):
        return "no single host's address", False
    if any(each.is_loopback for each in meant):
        return "this machine itself", True
    if any(not each.is_global or _is_in(each, _INSIDE) for each in meant):
        return "an address of a private network", True
    return "", True


def _short(host: str) -> IP | None:
    """IPv4 as the C library reads it too: `127.1`, `2130706433`, `0x7f.0.0.1`."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _meant(address: IP) -> tuple[IP, ...]:
    """The addresses that one may lead to: the IPv4 address within, or else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address in _OWN_TRANSLATION:  # where it stands depends on a prefix that nobody tells
        parts = (address.packed[-4:], address.packed[6:8] + address.packed[9:11])
        return (address, *(ipaddress.IPv4Address(part) for part in parts if any(part)))
    if _is_in(address, _TRANSLATED) and not address.is_loopback:
        return (ipaddress.IPv4Address(address.packed[-4:]),)
    teredo = address.teredo[1] if address.teredo else None
    return (address.ipv4_mapped or address.sixtofour or teredo or address,)


def _is_in(address: IP, networks: Iterable[ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks)
