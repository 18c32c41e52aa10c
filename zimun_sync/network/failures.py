"""Why no answer came."""

import ssl
from collections.abc import Iterator


def is_untrusted(error: BaseException) -> bool:
    """Whether a connection failed because the server's certificate does not prove who it is."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it, the latest first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
