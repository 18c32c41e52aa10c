"""Which addresses a configured host may lead to: the guard against requests into one's own network.

A name says nothing about where it leads, and may lead elsewhere the next time. So names are
resolved here, once for each connection, and the very address that was judged is connected to.
"""

import ipaddress
import socket
from enum import Enum

import httpx

from zimun_sync.network.addresses import kind_of


class AddressRefused(httpx.ConnectError):
    """A host leads to where requests may not go; nothing was sent, not even a connection opened.

    Args:
        message: host, kind of address and, where that helps, the setting that permits it.
        curable: whether `allow_private` would permit it.
    """

    def __init__(self, message: str, *, curable: bool) -> None:
        super().__init__(message)
        self.curable = curable


class Reach(Enum):
    """How far requests may go."""

    PUBLIC = "the internet"
    PRIVATE = "the internet, this machine and private networks"

    @classmethod
    def of(cls, *, allow_private: bool) -> "Reach":
        """What a setting of that name means."""
        return cls.PRIVATE if allow_private else cls.PUBLIC

    def check(self, host: str, address: str) -> None:
        """Judge one address that a host leads to.

        Args:
            host: the host as it was configured, for the message.
            address: an IP address, as text; with or without a zone.

        Raises:
            AddressRefused: it may not be reached.
        """
        kind, curable = kind_of(ipaddress.ip_address(address))
        if kind and not (curable and self is Reach.PRIVATE):
            raise AddressRefused(_refusal(host, address, kind, curable=curable), curable=curable)

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be reached, best first.

        Raises:
            AddressRefused: none of them may; or one may not, and only the internet is allowed: a
                name that leads to several places is not trusted then.
            httpx.ConnectError: the name leads nowhere.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if self is Reach.PRIVATE:
            # Machines of a local network have a link-local address beside the one that is meant.
            addresses = [each for each in addresses if self._permits(host, each)] or addresses
        for address in addresses:
            self.check(host, address)
        return addresses

    def _permits(self, host: str, address: str) -> bool:
        try:
            self.check(host, address)
        except AddressRefused:
            return False
        return True


def _refusal(host: str, address: str, kind: str, *, curable: bool) -> str:
    where = host if host == address else f"{host} leads to {address}, which"
    return f"{where} is {kind}{'' if curable else ', which is never called'}"
