"""Pulls of a source that tells what has changed, and now and then lists everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pipeline.conftest import STREAMS, FakeApi, appointment
from tests.states import put_new_state
from zimun_sync.daemon.pulls import Pulls
from zimun_sync.errors import SourceUnavailable
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.passes import Paging
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.store import Store


@pytest.fixture
def api() -> FakeApi:
    """Thirty appointments in three pages; it can list what has changed."""
    made = FakeApi()
    made.filters = True
    made.put("appointments", *map(appointment, range(30)))
    return made


@contextmanager
def daemon(folder: Path, api: FakeApi) -> Iterator[Pulls]:
    """The pulls of a daemon's process."""
    with Store.open("sqlite:///state.db", folder) as store:
        store.add_source("main")
        lease = store.leases.acquire("source:main")
        job = SourceJob("main", api, Rules({}, {}), STREAMS, paging=Paging.STABLE)
        yield Pulls(store, {"main": job}, {"main": lease}, lambda _event: None, lambda: False)
        store.leases.release(lease)


@pytest.mark.parametrize("cause", ["start", "retry"])
def test_a_listing_of_everything_that_stopped_goes_on(
    tmp_path: Path, api: FakeApi, cause: str
) -> None:
    put_new_state(tmp_path)
    with daemon(tmp_path, api) as pulls:
        pulls.pull("main", "nightly")
        api.fail("appointments", "20", SourceUnavailable("Gone."))
        assert pulls.pull("main", "reconcile", full=True).status == "failed"
    api.calls.clear()
    with daemon(tmp_path, api) as pulls:
        assert pulls.pull("main", cause, full=True).status == "succeeded"
    assert api.tokens_of("appointments") == ["20"]
    assert api.params[-1] == {}


@pytest.mark.parametrize("cause", ["reconcile", "request"])
def test_one_whose_time_has_come_begins_at_the_first_page(
    tmp_path: Path, api: FakeApi, cause: str
) -> None:
    put_new_state(tmp_path)
    with daemon(tmp_path, api) as pulls:
        api.fail("appointments", "20", SourceUnavailable("Gone."))
        assert pulls.pull("main", "nightly").status == "failed"
        api.calls.clear()
        assert pulls.pull("main", cause, full=True).status == "succeeded"
    assert api.tokens_of("appointments") == [None, "10", "20"]


def test_what_is_made_up_for_is_everything_although_only_changes_are_unfinished(
    tmp_path: Path, api: FakeApi
) -> None:
    put_new_state(tmp_path)
    with daemon(tmp_path, api) as pulls:
        pulls.pull("main", "nightly")
        api.fail("appointments", None, SourceUnavailable("Gone."))
        assert pulls.pull("main", "nightly").status == "failed"
        api.calls.clear()
        assert pulls.pull("main", "start", full=True).status == "succeeded"
    assert api.tokens_of("appointments") == [None, "10", "20"]
    assert api.params[-1] == {}
