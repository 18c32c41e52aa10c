"""Working ahead: order, errors, and never more than two pages at stake."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Timer
from typing import Any

import msgspec
import pytest

from zimun_sync.errors import SourceUnavailable
from zimun_sync.events import NormalizerProcessEnded
from zimun_sync.model import APPOINTMENTS
from zimun_sync.normalize import Items, Normalizer, Place, Places, Rules, normalize_items
from zimun_sync.normalize.process import NormalizerProcess, ProcessEnded, Setup
from zimun_sync.pipeline import normalizing
from zimun_sync.pipeline.ahead import IN_FLIGHT, Prepared, in_turn, on_threads
from zimun_sync.pipeline.normalizing import Normalizing, Ready
from zimun_sync.store import Prints
from zimun_sync.zimun import Page

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOTHING = Items([], [], [])
NOTHING_READY = Ready(NOTHING, Prints(b"", ()))
BAD = b'{"appointment_id": "a_bad"}'
Ahead = Callable[..., Generator[Prepared, None, None]]


def _page(number: int, last: int, items: list[bytes] | None = None) -> Page:
    token = None if number == last else str(number + 1)
    raws = [msgspec.Raw(item) for item in items or []]
    return Page(raws, token, str(number), NOW, NOW, 0)


def _listing(last: int) -> Callable[[str | None], Page]:
    return lambda token: _page(int(token or 0), last)


@pytest.fixture(params=[in_turn, on_threads])
def ahead(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_pages_come_in_order_to_the_last_one(ahead: Ahead) -> None:
    pages = [page.token for page, _ in ahead(_listing(20), lambda _page: NOTHING_READY, None)]
    assert pages == [str(number) for number in range(21)]


def test_a_listing_may_begin_anywhere(ahead: Ahead) -> None:
    assert len(list(ahead(_listing(20), lambda _page: NOTHING_READY, "18"))) == 3


@pytest.mark.parametrize("broken", ["fetch", "prepare"])
def test_an_error_is_raised_after_the_pages_before_it(ahead: Ahead, broken: str) -> None:
    def fail_at(place: str) -> Callable[[Any], Any]:
        def work(given: Any) -> Any:
            number = int((given.token if isinstance(given, Page) else given) or 0)
            if number == 3 and place == broken:
                raise SourceUnavailable("Gone.")
            return _page(number, 20) if place == "fetch" else NOTHING_READY

        return work

    seen: list[str | None] = []
    with pytest.raises(SourceUnavailable):
        seen.extend(page.token for page, _ in ahead(fail_at("fetch"), fail_at("prepare"), None))
    assert seen == ["0", "1", "2"]


def test_at_most_two_pages_are_fetched_and_not_yet_stored() -> None:
    fetched: list[int] = []

    def fetch(token: str | None) -> Page:
        fetched.append(int(token or 0))
        return _page(int(token or 0), 50)

    with closing(on_threads(fetch, lambda _page: NOTHING_READY, None)) as pages:
        for stored, _ in enumerate(pages):
            assert len(fetched) - stored <= IN_FLIGHT


def test_the_next_page_is_fetched_while_one_is_stored() -> None:
    second = Event()

    def fetch(token: str | None) -> Page:
        if token == "1":
            second.set()
        return _page(int(token or 0), 1)

    with closing(on_threads(fetch, lambda _page: NOTHING_READY, None)) as pages:
        next(pages)
        assert second.wait(10)


def test_ending_early_ends_the_threads() -> None:
    with closing(on_threads(_listing(50), lambda _page: NOTHING_READY, None)) as pages:
        next(pages)
    assert list(pages) == []


@pytest.fixture
def setup() -> Setup:
    places = Places(Place("Europe/Berlin", "DE"), {"l_1": Place("America/New_York", "US")})
    rules = Rules({"appointments": {"notes": ("remarks",)}}, {"checked_in": "confirmed"})
    return Setup("appointments", rules, places)


@pytest.fixture
def items(make_appointment: Callable[..., dict[str, Any]]) -> list[bytes]:
    records = [
        make_appointment(1, remarks="früh", status="checked_in"),
        make_appointment(2, contact_phone="030 23125 100", location_id=None),
    ]
    return [*(msgspec.json.encode(record) for record in records), BAD]


def test_a_process_gives_the_same_rows_as_this_one(setup: Setup, items: list[bytes]) -> None:
    here = normalize_items(items, Normalizer(APPOINTMENTS, setup.rules, setup.places))
    with NormalizerProcess(setup) as process:
        assert process.normalize(items) == here
        assert process.normalize([]) == NOTHING
        assert process.normalize(items * 500).records == here.records * 500


def test_a_process_that_was_killed_says_so(setup: Setup, items: list[bytes]) -> None:
    with NormalizerProcess(setup) as process:
        process.kill()
        with pytest.raises(ProcessEnded):
            process.normalize(items)


@pytest.mark.parametrize("killed", [False, True])
def test_a_long_listing_moves_to_a_process_and_survives_its_death(
    setup: Setup, items: list[bytes], monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(normalizing, "LONG_LISTING", 5)
    events: list[Any] = []
    here = normalize_items(items, setup.normalizer())
    with Normalizing(setup, events.append) as work:
        results = [work(_page(number, 4, items)) for number in range(2)]
        assert work.process is not None
        assert work.process.is_ready(within=60)
        if killed:
            work.process.kill()
        results += [work(_page(number, 4, items)) for number in range(2, 5)]
    assert [ready.items for ready in results] == [here] * 5
    assert events == [NormalizerProcessEnded("appointments")] * killed


def test_a_process_that_has_not_started_yet_is_not_waited_for(
    setup: Setup, items: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate, interpreter = tmp_path / "gate", tmp_path / "python"
    os.mkfifo(gate)
    interpreter.write_text(f'#!/bin/sh\nread line < "{gate}"\nexec "{sys.executable}" "$@"\n')
    interpreter.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setattr(normalizing, "LONG_LISTING", 5)
    here = normalize_items(items, setup.normalizer())
    in_the_end = Timer(60, gate.write_text, ["go\n"])  # who waits after all fails, not hangs
    in_the_end.daemon = True
    in_the_end.start()
    with ExitStack() as stack:
        stack.callback(in_the_end.cancel)
        work = stack.enter_context(Normalizing(setup, lambda _event: None))
        results = [work(_page(number, 9, items)) for number in range(4)]
        assert work.process is not None
        assert not work.process.is_ready()
        gate.write_text("go\n")
        assert work.process.is_ready(within=60)
        results.append(work(_page(4, 9, items)))
    assert [ready.items for ready in results] == [here] * 5


def test_a_short_listing_needs_no_process(setup: Setup, items: list[bytes]) -> None:
    with Normalizing(setup, lambda _event: None) as work:
        work(_page(0, 0, items))
        assert work.process is None
