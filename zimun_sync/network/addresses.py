"""What an address says about the way to it."""

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds tell a machine its credentials, beside the link-local address that most use.
_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)
#: IPv6 that a translator turns into the IPv4 address in its last four bytes (RFC 6052).
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


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
    address = _embedded(address)
    if address.is_link_local or address in _METADATA:
        return "link-local, as clouds' metadata services are", False
    if address.is_multicast or address.is_unspecified:
        return "no single host's address", False
    if address.is_loopback:
        return "this machine itself", True
    if not address.is_global:
        return "an address of a private network", True
    return "", True


def _short(host: str) -> IP | None:
    """IPv4 as the C library reads it too: `127.1`, `2130706433`, `0x7f.0.0.1`."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _embedded(address: IP) -> IP:
    """The IPv4 address within an IPv6 address that leads to it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(address.packed[-4:])
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
