"""Structured log lines on standard error, without secrets and personal data."""

from zimun_sync.omitting import omitting

with omitting("rich"):  # with which structlog could draw tracebacks; ours are plain text
    import structlog as _structlog  # noqa: F401

from zimun_sync.logs.listener import LogListener
from zimun_sync.logs.redaction import Redactor
from zimun_sync.logs.setup import set_up

__all__ = ["LogListener", "Redactor", "set_up"]
