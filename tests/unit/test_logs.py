"""Log lines: how they look, what is said at which level, and what is never in them."""

import gc
import json
import logging
import sys
import threading
import typing
import warnings
from collections.abc import Callable
from io import StringIO
from typing import Any

import msgspec
import pytest
import structlog

from zimun_sync import events as ev
from zimun_sync.logs import LogListener, set_up
from zimun_sync.logs.listener import level_of

SECRET = "canary-secret 'q\" ü"
HEADER = "canary-header-value"
PERSON = "canary.person@example.org"
SOMEONE = "Canary"
PROFILE = str({"contact_name": SOMEONE})
PHONE = "+49 170 5550123"
PLANTED = (SECRET, "canary", "5550123")


@pytest.fixture(autouse=True)
def process_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to the whole process is put back after each test."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Lines written so far, as JSON; everything is logged."""
    out = StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    set_up("debug", "json", [SECRET, HEADER])
    return lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def written(monkeypatch: pytest.MonkeyPatch, style: str, *, terminal: bool = False) -> str:
    """How a line looks in that style."""
    out = StringIO()
    out.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", out)
    set_up("info", style)
    LogListener()(ev.SinkWaiting("crm", 2.5, "it said: a=b\nand more"))
    return out.getvalue()


def test_json_lines(lines: Lines) -> None:
    LogListener()(ev.SinkWaiting("crm", 2.5, "down"))
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    expected = {"level": "warning", "event": "sink_waiting", "sink": "crm", "wait": 2.5}
    assert line == expected | {"reason": "down"}


def test_keys_and_values_stay_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for style in ("logfmt", "auto"):
        line = written(monkeypatch, style)
        assert line.count("\n") == 1
        assert line.startswith("timestamp=")
        said = r'level=warning event=sink_waiting sink=crm wait=2.5 reason="it said: a=b\nand more"'
        assert line.partition(" ")[2].rstrip() == said


def test_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in written(monkeypatch, "console")
    for style in ("console", "auto"):
        shown = written(monkeypatch, style, terminal=True)
        assert "\x1b[" in shown
        assert "sink_waiting" in shown


def test_what_is_less_important_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    set_up("error", "json")
    LogListener()(ev.SinkWaiting("crm", 2.5, "down"))
    logging.getLogger("apscheduler.scheduler").warning("slow")
    assert not out.getvalue()
    LogListener()(ev.SinkParked("crm", "down", "mend it"))
    assert "sink_parked" in out.getvalue()


def sample(kind: type[Any]) -> Any:
    """An event of that kind, nothing about it being wrong."""
    made = {"int": 1, "str": "x", "float": 1.0, "bool": True, "float | None": 1.0}
    fields = {
        field.name: made[getattr(field.type, "__name__", str(field.type))]
        if field.name not in {"error", "hint"}
        else ""
        for field in msgspec.structs.fields(kind)
    }
    return kind(**fields)


TEXTS = {"error", "hint", "reason", "source", "path", "subject", "file", "cause"}
EVENTS = typing.get_args(ev.Event)
LEVELS = {
    "debug": "PageStored DisputeSettled EventsReceived EventsApplied RecordsFetched HookCalled",
    "info": "RunStarted ListingRepeated RunFinished Renormalized BatchDelivered DeletionsChecked "
    "PullStarted FieldAppeared PullFinished TroubleEnded DaemonStarted DaemonStopping "
    "ConfigReloaded StateCleaned",
    "warning": "ListingRestarted ListingUnsettled NormalizerProcessEnded RequestRetried "
    "SinkWaiting SinkNoticed DeletionsHeld "
    "WebhookRefused HookFailed FetchingDelayed",
    "error": "SinkParked ConnectorFailed TroubleBegan ConfigRefused StateUnavailable",
}


def test_every_event_has_the_level_it_deserves() -> None:
    found: dict[str, set[str]] = {}
    for kind in EVENTS:
        level = logging.getLevelName(level_of(sample(kind))).lower()
        found.setdefault(level, set()).add(kind.__name__)
    assert found == {level: set(names.split()) for level, names in LEVELS.items()}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_is_one_line_that_names_it(kind: type[Any], lines: Lines) -> None:
    LogListener()(sample(kind))
    (line,) = lines()
    assert line["event"].replace("_", "") == kind.__name__.lower()
    told = {field.name for field in msgspec.structs.fields(kind)} - {"error", "hint", "event"}
    assert told <= line.keys()


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ev.RunFinished("m", "s", "r", "failed", 1, 1, 1, 1, "no", ""), logging.ERROR),
        (ev.RunFinished("m", "s", "r", "needs_attention", 1, 1, 1, 1, "no", ""), logging.WARNING),
        (ev.RunFinished("m", "s", "r", "not_offered", 0, 0, 0, 0, "no", ""), logging.INFO),
        (ev.PullFinished("m", "nightly", "failed", 1, 1, 1.0, "no"), logging.ERROR),
        (ev.PullFinished("m", "nightly", "partial", 1, 1, 1.0, "no"), logging.WARNING),
        (ev.PullFinished("m", "nightly", "interrupted", 1, 1, 1.0, ""), logging.INFO),
        (ev.HookFailed("bi", "succeeded", 3, None, "no"), logging.ERROR),
    ],
)
def test_what_went_wrong_is_told_louder(event: ev.Event, level: int) -> None:
    assert level_of(event) == level


def test_a_flood_of_refused_requests_is_no_flood_of_lines(lines: Lines) -> None:
    now = [0.0]
    listener = LogListener(lambda: now[0])
    for _ in range(1_000):
        listener(ev.WebhookRefused("main", 401, "wrong signature"))
    assert len(lines()) == 10
    assert not any("left_out" in line for line in lines())
    now[0] = 60.0
    listener(ev.WebhookRefused("main", 401, "wrong signature"))
    assert lines()[-1]["left_out"] == 990
    listener(ev.WebhookRefused("main", 401, "wrong signature"))
    assert "left_out" not in lines()[-1]
    assert len(lines()) == 12


def test_libraries_speak_the_same_way(lines: Lines) -> None:
    logging.root.handlers = logging.root.handlers[:1]  # pytest has added its own meanwhile
    logger = logging.getLogger("apscheduler.scheduler")
    logger.info("of no use")
    logger.warning("%s is slow for %s", "10.0.0.1:8090", PERSON)
    logger.log(45, "made up a level")
    logger.error("too few of %s and %s", "one")  # noqa: PLE1206 - as a library might
    assert [(line["level"], line["event"]) for line in lines()] == [
        ("warning", "10.0.0.1:8090 is slow for [redacted]"),
        ("error", "made up a level"),
        ("error", "too few of %s and %s"),
    ]
    assert {line["logger"] for line in lines()} == {"apscheduler.scheduler"}


def test_warnings_of_python_are_lines(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(UserWarning(f"about {PERSON}"), UserWarning, "some.py", 7)
    (line,) = lines()
    assert (line["event"], line["where"]) == ("about [redacted]", "some.py:7")


def chained() -> BaseException:
    """An error with causes, contexts, notes, groups and values that must not be shown."""
    try:
        _refuse(PHONE)
    except ValueError as error:
        error.add_note(f"for {PERSON}, {PROFILE}")
        leaves = [error, OSError(7, f"Authorization: Bearer {SECRET}"), TypeError([SECRET])]
        return ExceptionGroup(f"several of {SECRET}", [*leaves, ExceptionGroup("more", leaves)])
    raise AssertionError


def _refuse(local_value: str) -> None:
    try:
        try:
            _raise(KeyError(SECRET))
        except KeyError:
            _raise(LookupError(PERSON, local_value))
    except LookupError as error:
        raise ValueError(f"refused {SECRET.encode()!r} of {PHONE}") from error


def nothing_planted(text: str) -> bool:
    return not any(each.lower() in text.lower() for each in PLANTED)


@pytest.mark.parametrize("style", ["json", "logfmt", "console"])
def test_nothing_planted_is_ever_shown(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    set_up("debug", style, [SECRET, HEADER])
    listener = LogListener()
    said = f"{SECRET} and {HEADER} of {PERSON}, {PHONE}, {SECRET.encode()!r}, {[SECRET]}"
    for kind in EVENTS:
        told = {each.name for each in msgspec.structs.fields(kind)} & TEXTS
        listener(msgspec.structs.replace(sample(kind), **dict.fromkeys(told, said)))
    logger = structlog.get_logger()
    headers = {"Authorization": HEADER, "x": [SECRET]}
    logger.info(said, headers=headers, contact_name=SOMEONE, raw=SECRET.encode())
    error = chained()
    logger.error("went wrong", exc_info=error, error=error)
    logging.getLogger("httpx").error("%s", said, exc_info=error)
    logging.getLogger("alembic").warning({"password": HEADER, "to": PERSON})
    sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=_raise, args=(error,), name="sink-crm")
    thread.start()
    thread.join()
    shown = out.getvalue()
    assert nothing_planted(shown)
    assert "ExceptionGroup" in shown
    assert "in _refuse" in shown
    assert "[redacted]" in shown


def _raise(error: BaseException) -> None:
    raise error


def test_what_nobody_caught_is_one_line_with_its_place(lines: Lines) -> None:
    error = chained()
    sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=_raise, args=(error,), name="sink-crm")
    thread.start()
    thread.join()
    leaving = threading.Thread(target=_raise, args=(SystemExit(3),))
    leaving.start()
    leaving.join()
    main, other = lines()
    assert (main["level"], main["event"]) == ("critical", "uncaught")
    assert (other["event"], other["thread"]) == ("uncaught", "sink-crm")
    assert "test_logs.py" in main["exception"]


def test_an_error_while_something_is_thrown_away_is_a_line(lines: Lines) -> None:
    class Careless:
        def __del__(self) -> None:
            raise ValueError(PERSON)

    careless: Careless | None = Careless()
    assert careless
    careless = None
    gc.collect()
    (line,) = lines()
    assert line["event"] == "unraisable"
    assert "ValueError: [redacted]" in line["exception"]


def test_that_nobody_reads_the_log_any_more_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    closed = StringIO()
    closed.close()
    for out in (Full(), closed):
        if out.closed:
            out.isatty = lambda: False  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stderr", out)
        set_up("info", "json")
        LogListener()(ev.ConfigReloaded("zimun-sync.yaml"))


def test_later_secrets_replace_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    listener = LogListener()
    set_up("info", "json", ["first-one"])
    set_up("info", "json", ["rotated-one"])
    listener(ev.ConfigReloaded("rotated-one"))
    assert "rotated-one" not in out.getvalue()
    assert len(logging.root.handlers) == 1
