"""Lists: every record once, whatever the page size; tokens that only fit where they belong."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.sandbox.world.collection import Collection

Items = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=60)) as running:
        yield running


def drain(api: httpx.Client, stream: str, **query: Any) -> list[Items]:
    pages: list[Items] = []
    while True:
        answer = api.get(f"/{stream}", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"items", "next_page_token"}
        pages.append(page["items"])
        if page["next_page_token"] is None:
            return pages
        query["page_token"] = page["next_page_token"]


@pytest.mark.parametrize("size", [1, 7, 59, 60, 61])
def test_every_record_comes_once(sandbox: Sandbox, api: httpx.Client, size: int) -> None:
    pages = drain(api, "appointments", page_size=size)
    listed = [item["appointment_id"] for page in pages for item in page]
    world = [json.loads(item)["appointment_id"] for item in sandbox.world.appointments.identified()]
    assert listed == world
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.parametrize("stream", ["services", "staff", "resources", "locations"])
def test_other_lists_are_paginated_alike(api: httpx.Client, stream: str) -> None:
    pages = drain(api, stream, page_size=1)
    assert len(pages) > 1
    for (item,) in pages:
        key = item[f"{stream.removesuffix('s')}_id"]
        assert api.get(f"/{stream}/{key}").json() == item


def test_the_organization_is_one_object(sandbox: Sandbox, api: httpx.Client) -> None:
    answer = api.get("/organization").json()
    assert answer["organization_id"] == sandbox.organization_id
    assert answer["organization_id"].startswith("o_")


def test_an_appointment_by_id_is_the_listed_one(api: httpx.Client) -> None:
    item = api.get("/appointments", params={"page_size": 1}).json()["items"][0]
    assert api.get(f"/appointments/{item['appointment_id']}").json() == item
    assert api.get("/appointments/a_nobody").status_code == 404


def test_pages_hold_200_unless_asked_and_no_more_than_the_greatest(
    serve: Any, sign_in: Any
) -> None:
    api = sign_in(serve(appointments=400, page_size_max=250))
    assert len(api.get("/appointments").json()["items"]) == 200
    pages = drain(api, "appointments", page_size=1000)
    assert [len(page) for page in pages] == [250, 150]


@pytest.mark.parametrize("size", ["0", "-1", "ten", "1.5", ""])
def test_a_page_size_that_makes_no_sense_is_refused(api: httpx.Client, size: str) -> None:
    answer = api.get("/appointments", params={"page_size": size})
    assert answer.status_code == 422
    assert "page_size" in answer.json()["message"]


def test_a_page_token_belongs_to_its_request(api: httpx.Client) -> None:
    token = api.get("/appointments", params={"page_size": 10}).json()["next_page_token"]
    asked = [
        ("/appointments", {"page_size": 20, "page_token": token}),
        ("/appointments", {"page_token": token, "updated_since": "2026-01-01T00:00:00Z"}),
        ("/services", {"page_size": 10, "page_token": token}),
        ("/appointments", {"page_size": 10, "page_token": token[:-2] + "AA"}),
        ("/appointments", {"page_token": "nonsense"}),
        ("/appointments", {"page_token": "ü"}),
    ]
    assert [api.get(path, params=query).status_code for path, query in asked] == [400] * 6
    assert api.get("/appointments", params={"page_token": token}).status_code == 200


def test_a_page_token_outlives_a_restart(serve: Any, sign_in: Any) -> None:
    first, second = (sign_in(serve()) for _ in range(2))
    token = first.get("/appointments", params={"page_size": 10}).json()["next_page_token"]
    query = {"page_size": 10, "page_token": token}
    assert (
        second.get("/appointments", params=query).content
        == first.get("/appointments", params=query).content
    )


def test_page_tokens_expire_by_the_sandboxs_clock(serve: Any, sign_in: Any) -> None:
    sandbox = serve(page_token_ttl=60)
    api = sign_in(sandbox)
    token = api.get("/appointments", params={"page_size": 10}).json()["next_page_token"]
    assert api.get("/appointments", params={"page_token": token}).status_code == 200
    sandbox.clock.advance(62)
    answer = api.get("/appointments", params={"page_token": token})
    assert (answer.status_code, answer.json()["code"]) == (410, "page-token-expired")


def test_only_changes_are_listed_on_request(api: httpx.Client) -> None:
    everything = [item for page in drain(api, "appointments") for item in page]
    middle = sorted(item["updated_at"] for item in everything)[30]
    pages = drain(api, "appointments", updated_since=middle, page_size=7)
    changed = [item for page in pages for item in page]
    assert changed == [item for item in everything if item["updated_at"] >= middle]
    assert api.get("/appointments", params={"updated_since": "2026-01-01"}).status_code == 422


def test_data_is_listed_byte_for_byte(serve: Any, sign_in: Any, tmp_path: Any) -> None:
    line = b'{"appointment_id" : "a_1", "notes":"\\u00e9", "appointment_duration":30.0}'
    path = tmp_path / "data.ndjson"
    path.write_bytes(line + b"\n[]\n")
    api = sign_in(serve(data=path))
    assert api.get("/appointments").content == b'{"items":[%s,[]],"next_page_token":null}' % line


@settings(max_examples=60)
@given(
    size=st.integers(1, 12),
    count=st.integers(0, 40),
    removed=st.sets(st.integers(0, 39)),
    since=st.none() | st.integers(0, 40),
)
def test_windows_cover_what_is_left_once(
    size: int, count: int, removed: set[int], since: int | None
) -> None:
    collection = Collection()
    for number in range(count):
        collection.append(str(number), b"%d" % number, number)
    gone = {number for number in removed if collection.remove(str(number))}
    listed: list[int] = []
    start: int | None = 0
    while start is not None:
        window = collection.window(start, size, since=since)
        assert len(window.items) <= size
        listed += [int(item) for item in window.items]
        start = window.next
    assert listed == [number for number in range(since or 0, count) if number not in gone]
    assert len(collection) == count - len(gone)
