"""Whether the daemon in this container answers: exit code 0 or 1, and why on standard error.

`healthcheck.py PORT PATH` asks another server of this container.
"""  # noqa: INP001 - a script

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

_TIMEOUT_SECONDS = 4.0  # below the image's own
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognized, not bound


def address(environ: Mapping[str, str]) -> tuple[str, int]:
    """Where the daemon listens, as seen from inside the container."""
    host = environ["ZIMUN_SYNC_SERVER__HOST"]
    return _EVERYWHERE.get(host, host), int(environ["ZIMUN_SYNC_SERVER__PORT"])


def trouble(host: str, port: int, path: str) -> str:
    """What is wrong with the answer; empty if it is 200."""
    # Not urllib: a proxy named in the environment must not stand between the two.
    with closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"{path} does not answer: {type(error).__name__}: {error}"
    return "" if status == http.client.OK else f"{path} answers {status}"


def main(arguments: Sequence[str]) -> str:
    """What is wrong; empty if all is well."""
    if arguments:
        port, path = arguments
        return trouble("127.0.0.1", int(port), path)
    return trouble(*address(os.environ), "/livez")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
