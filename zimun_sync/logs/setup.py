"""Where log lines go and how they look, for events, libraries and what nobody caught."""

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from zimun_sync.logs.redaction import Redactor

#: Fields that are added here, and so hold nothing of anyone's.
_OURS: Final = ("timestamp", "level")
#: What libraries say below this is of no use to anyone but their authors.
_LIBRARIES: Final = logging.WARNING


def set_up(level: str, style: str, secrets: Iterable[str] = ()) -> None:
    """Send log lines to standard error, for the whole process.

    Libraries' warnings and exceptions that nobody caught, in any thread, go the same way.

    Args:
        level: debug, info, warning or error.
        style: `json`, `logfmt` (`key=value`), `console` (for people), or `auto`: console on a
            terminal, else logfmt.
        secrets: values that must never be shown.
    """
    out = sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace,
            _redacting(Redactor(secrets)),
            _renderer(style, terminal=out.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=lambda *_: _Writer(out),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Forward(_LIBRARIES)]
    logging.root.setLevel(_LIBRARIES)
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


class _Writer:
    """Writes lines; that nobody reads them any more must not stop the work."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        try:
            self._out.write(f"{line}\n")  # in one piece: threads share it
            self._out.flush()
        except (OSError, ValueError):
            pass  # closed, or its disk is full: there is nowhere left to say so

    log = debug = info = warning = error = critical = msg


def _renderer(style: str, *, terminal: bool) -> structlog.typing.Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    if style == "console" or (style == "auto" and terminal):
        return structlog.dev.ConsoleRenderer(
            colors=terminal, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.LogfmtRenderer(key_order=[*_OURS, "event"], bool_as_flag=False)


def _trace(_logger: Any, _method: str, line: structlog.typing.EventDict) -> Any:
    """The traceback as text, without the values of local variables."""
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return line


def _redacting(redactor: Redactor) -> structlog.typing.Processor:
    def redact(_logger: Any, _method: str, line: structlog.typing.EventDict) -> Any:
        shown = {name: line[name] for name in _OURS}
        return shown | {
            name: redactor.field(name, value) for name, value in line.items() if name not in _OURS
        }

    return redact


class _Forward(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            _level(record), _message(record), logger=record.name, exc_info=record.exc_info
        )


def _level(record: logging.LogRecord) -> int:
    """The level, or the one below it where a library made up its own."""
    return min(record.levelno // 10 * 10, logging.CRITICAL)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's slip must not stop what it only comments
        return str(record.msg)


def _log_uncaught(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    structlog.get_logger().critical("uncaught", exc_info=error)


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "unknown"
    structlog.get_logger().critical("uncaught", thread=name, exc_info=args.exc_value)


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger().error("unraisable", where=repr(args.object), exc_info=args.exc_value)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the signature is Python's
    line: str | None = None,  # noqa: ARG001 - as above
) -> None:
    where = f"{filename}:{lineno}"
    structlog.get_logger().warning(str(message), category=category.__name__, where=where)
