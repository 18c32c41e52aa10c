from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import (
    MalformedAnswer,
    NotFound,
    PageTokenExpired,
    RequestRefused,
    ScopeMissing,
)
from zimun_sync.zimun import ClientSettings, Page, TokenTrail, ZimunClient, read_offered

if TYPE_CHECKING:
    from tests.zimun.conftest import FakeApi, FakeTime

MakeClient = Callable[..., ZimunClient]


def listing(*items: Any, then: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "next_page_token": then})


def raw(page: Page) -> list[bytes]:
    return [bytes(item) for item in page.items]


def test_pages_lead_from_token_to_token_to_the_last(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(listing(1, then="t1"), listing(then="t2"), listing(2, 3, then=""))
    pages = list(client.pages("appointments"))
    assert [raw(page) for page in pages] == [[b"1"], [], [b"2", b"3"]]
    assert [(page.token, page.next_page_token) for page in pages] == [
        (None, "t1"),
        ("t1", "t2"),
        ("t2", None),
    ]
    assert [dict(request.url.params) for request in api.requests] == [
        {"page_size": "200"},
        {"page_size": "200", "page_token": "t1"},
        {"page_size": "200", "page_token": "t2"},
    ]


def test_a_listing_can_go_on_at_a_token(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(listing(9))
    [page] = client.pages("appointments", page_token="t7")
    assert (page.token, raw(page)) == ("t7", [b"9"])
    assert api.requests[0].url.params["page_token"] == "t7"


def test_items_are_the_bytes_that_came(api: "FakeApi", client: ZimunClient) -> None:
    body = (
        b'{ "new":[], "items" :[ {"price": 1.10, "a":"\\u00e4\xff"} ,5, null],"next_page_token":""}'
    )
    api.answers(httpx.Response(200, content=body, headers={"Content-Type": "application/json"}))
    page = client.page("appointments")
    assert raw(page) == [b'{"price": 1.10, "a":"\\u00e4\xff"}', b"5", b"null"]
    assert page.size == len(body)


def test_items_outlive_the_pages_after_them(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(*[listing({"n": n}, then=f"t{n}") for n in range(50)], listing())
    items = [item for page in client.pages("appointments") for item in page.items]
    assert [bytes(item) for item in items] == [b'{"n":%d}' % n for n in range(50)]


@given(token=st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_page_token_changes_where_a_request_goes(token: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t"})
        asked.append(request)
        return listing()

    settings = ClientSettings.model_validate({"client_id": "id", "client_secret": "secret"})
    with ZimunClient(settings, transport=httpx.MockTransport(answer)) as client:
        client.page("appointments", token)
    [request] = asked
    assert (request.url.host, request.url.path) == ("api.zimun.online", "/api/v1/appointments")
    assert dict(request.url.params) == {"page_size": "200", "page_token": token}


@pytest.mark.parametrize("identifier", ["../webhooks", "a/b", "a?x=1", "a#b", "ä ö", "%2e%2e"])
def test_no_identifier_leads_out_of_its_collection(
    api: "FakeApi", client: ZimunClient, identifier: str
) -> None:
    api.answers(httpx.Response(200, json={}))
    client.record("appointments", identifier)
    path = api.requests[0].url.raw_path
    assert path.startswith(b"/api/v1/appointments/")
    assert path.count(b"/") == 4
    assert b"?" not in path


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_an_identifier_that_is_none_is_refused(
    api: "FakeApi", client: ZimunClient, identifier: str
) -> None:
    with pytest.raises(RequestRefused, match="no identifier"):
        client.record("appointments", identifier)
    assert api.requests == []


def test_a_cycle_of_tokens_is_found(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(listing(then="A"), listing(then="B"), listing(then="A"))
    with pytest.raises(MalformedAnswer, match="page token cycle"):
        list(client.pages("appointments"))
    assert len(api.requests) == 3


def test_a_page_that_names_itself_is_found(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(listing(then="A"))
    with pytest.raises(MalformedAnswer, match="page token cycle"):
        list(client.pages("appointments", page_token="A"))


@given(st.lists(st.text(), unique=True))
def test_tokens_that_differ_are_no_cycle(tokens: list[str]) -> None:
    trail = TokenTrail()
    for token in [None, *tokens]:
        trail.follow(token, "staff")


@pytest.mark.parametrize("status", [400, 410])
def test_an_expired_page_token_is_told_from_a_refused_listing(
    api: "FakeApi", client: ZimunClient, status: int
) -> None:
    api.answers(httpx.Response(status))
    with pytest.raises(PageTokenExpired):
        client.page("appointments", "t1")
    with pytest.raises(RequestRefused if status == 400 else NotFound):
        client.page("appointments")


def test_a_stream_the_api_does_not_offer_is_not_found(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(404))
    with pytest.raises(NotFound, match="GET /resources"):
        client.page("resources")


def test_a_missing_scope_is_named(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(403, json={"message": "insufficient scope"}))
    with pytest.raises(ScopeMissing, match="insufficient scope") as caught:
        client.page("appointments")
    assert "appointments:read" in caught.value.hint


def test_the_organization_is_a_page_of_one(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(200, json={"organization_id": "o_1"}))
    [page] = client.pages("organization")
    assert raw(page) == [b'{"organization_id":"o_1"}']
    assert (page.token, page.next_page_token) == (None, None)
    assert api.requests[0].url.query == b""


@pytest.mark.parametrize("stream", ["availability", "holidays"])
def test_an_answer_about_availability_is_a_page_of_one(
    api: "FakeApi", make_client: Callable[..., ZimunClient], stream: str
) -> None:
    api.answers(httpx.Response(200, json={"slots": [{"start": "soon"}, 5], "holidays": {"x": 1}}))
    client = make_client(paths={"availability": "/free"})
    page = client.page(stream, params={"service_id": "s_1", "days_ahead": "3"})
    assert (page.token, page.next_page_token, len(page.items)) == (None, None, 1)
    assert api.requests[0].url.path == "/api/v1/free"
    assert dict(api.requests[0].url.params) == {"service_id": "s_1", "days_ahead": "3"}
    answer = read_offered(page)
    assert [bytes(slot) for slot in answer.slots] == [b'{"start":"soon"}', b"5"]
    assert {day: bytes(said) for day, said in (answer.holidays or {}).items()} == {"x": b"1"}


def test_the_path_of_availability_is_a_setting(
    api: "FakeApi", make_client: Callable[..., ZimunClient]
) -> None:
    api.answers(httpx.Response(200, json={"slots": []}))
    assert make_client(paths={"availability": "/free"}).availability("s_1").slots == ()
    assert api.requests[0].url.path == "/api/v1/free"


@pytest.mark.parametrize(
    "body", [{}, {"slots": None}, {"slots": {}}, {"slots": [], "holidays": []}]
)
def test_an_answer_about_availability_without_slots_is_malformed(
    api: "FakeApi", client: ZimunClient, body: dict[str, object]
) -> None:
    api.answers(httpx.Response(200, json=body))
    with pytest.raises(MalformedAnswer, match="GET /availability"):
        client.page("availability", params={"service_id": "s_1"})
    assert len(api.requests) == 4  # asked again before it is given up


def test_the_scope_of_availability_is_named(api: "FakeApi", client: ZimunClient) -> None:
    api.answers(httpx.Response(403))
    for stream in ("availability", "holidays"):
        with pytest.raises(ScopeMissing) as caught:
            client.page(stream)
        assert "availability:read" in caught.value.hint


@pytest.mark.parametrize("body", [b"[]", b"null", b'"o_1"', b"1"])
def test_a_single_record_has_to_be_an_object(
    api: "FakeApi", client: ZimunClient, body: bytes
) -> None:
    api.answers(httpx.Response(200, content=body))
    with pytest.raises(MalformedAnswer, match="not an object"):
        client.record("appointments", "a_1")


def test_what_is_assumed_of_listings_can_be_set(api: "FakeApi", make_client: MakeClient) -> None:
    client = make_client(
        base_url="https://zimun.example/v9",
        paths={"appointments": "/bookings"},
        page_size=7,
        page_size_parameter="limit",
        page_token_parameter="cursor",
    )
    api.answers(listing())
    client.page("appointments", "t1", {"updated_since": "2026-11-20T00:00:00+01:00"})
    assert str(api.requests[0].url) == (
        "https://zimun.example/v9/bookings?updated_since=2026-11-20T00%3A00%3A00%2B01%3A00"
        "&limit=7&cursor=t1"
    )


def test_a_listing_can_be_limited_to_changes_where_the_api_offers_it(
    make_client: MakeClient,
) -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    assert make_client().changed_since(moment) == {}
    client = make_client(updated_since_parameter="updated_since")
    assert client.changed_since(moment) == {"updated_since": "2026-11-20T00:00:00+00:00"}


def test_listing_parameters_tell_listings_apart(make_client: MakeClient) -> None:
    texts = [
        make_client().listing_parameters("appointments"),
        make_client().listing_parameters("staff"),
        make_client().listing_parameters("appointments", {"updated_since": "x"}),
        make_client(page_size=7).listing_parameters("appointments"),
        make_client(base_url="https://zimun.example").listing_parameters("appointments"),
    ]
    assert len(set(texts)) == len(texts)
    assert texts[0] == make_client().listing_parameters("appointments")


def test_by_id_is_a_setting(make_client: MakeClient) -> None:
    assert make_client().has_by_id("appointments")
    assert not make_client().has_by_id("staff")
    assert make_client(by_id=["staff"]).has_by_id("staff")


def test_times_are_those_of_the_request_that_succeeded(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    def takes_three_seconds(request: httpx.Request) -> httpx.Response:
        time.now += 3
        return listing()

    api.answers(httpx.Response(429, headers={"Retry-After": "50"}), takes_three_seconds)
    began = time.now
    page = client.page("appointments")
    assert page.requested_at == datetime.fromtimestamp(began + 50, UTC)
    assert page.received_at == datetime.fromtimestamp(began + 53, UTC)


def test_times_are_corrected_by_the_servers_date(
    api: "FakeApi", time: "FakeTime", client: ZimunClient
) -> None:
    time.now = datetime(2026, 11, 20, 12, 10, tzinfo=UTC).timestamp()  # ten minutes fast
    answer = listing()
    answer.headers["Date"] = "Fri, 20 Nov 2026 12:00:00 GMT"
    api.answers(answer)
    page = client.page("appointments")
    corrected = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert abs((page.requested_at - corrected).total_seconds()) <= 1
