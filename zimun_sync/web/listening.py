"""The sockets that the web server listens on."""

import errno
import socket
from typing import Final

from zimun_sync.errors import ConfigError

_BACKLOG: Final = 1024
_HINTS: Final = {
    errno.EADDRINUSE: "Another program listens there: end it, or set {setting} to another port.",
    errno.EACCES: "Ports this low need rights: set {setting} to 1024 or above, behind a reverse "
    "proxy.",
}
_ADDRESS: Final = (
    "Set {host} to an address of this machine: 127.0.0.1 behind a reverse proxy, 0.0.0.0 for all."
)


def listen(host: str, port: int, part: str = "") -> socket.socket:
    """A socket that listens.

    Args:
        host: address or name of an interface.
        port: 0 takes any that is free.
        part: what the settings' names begin with, after `server.`.

    Raises:
        ConfigError: the address is not to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        hint = _HINTS.get(error.errno or 0, _ADDRESS)
        raise ConfigError(
            f"The web server cannot listen on {host} port {port}: {error.strerror}.",
            hint=hint.format(setting=f"`server.{part}port`", host=f"`server.{part}host`"),
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
