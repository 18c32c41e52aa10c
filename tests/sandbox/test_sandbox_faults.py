"""Faults to order: each one does what it says, on the request it says, and nothing else."""

import gzip
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox import Fault, Sandbox, SandboxOptions, read_fault


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=60)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.faults.clear()


@pytest.fixture
def raw(sandbox: Sandbox, api: httpx.Client) -> Any:
    """What comes over the wire for a listing request, to the end of the connection."""

    def ask() -> tuple[bytes, bytes]:
        address = (api.base_url.host, api.base_url.port or 80)
        with socket.create_connection(address, timeout=10) as connection:
            request = (
                "GET /api/v1/appointments HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n"
                f"authorization: {api.headers['authorization']}\r\n\r\n"
            )
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.lower(), body

    return ask


def order(sandbox: Sandbox, *faults: str) -> None:
    for fault in faults:
        sandbox.faults.order(read_fault(fault))


def statuses(api: httpx.Client, count: int, path: str = "/appointments") -> list[int]:
    return [api.get(path).status_code for _ in range(count)]


def drain(api: httpx.Client, size: int = 10) -> list[list[Any]]:
    pages: list[list[Any]] = []
    query: dict[str, Any] = {"page_size": size}
    while len(pages) < 30:
        page = api.get("/appointments", params=query).json()
        pages.append(page["items"])
        if not page["next_page_token"]:
            break
        query["page_token"] = page["next_page_token"]
    return pages


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("503", [503, 200, 200, 200, 200, 200]),
        ("503:on=3", [200, 200, 503, 200, 200, 200]),
        ("503:on=2,times=3", [200, 503, 503, 503, 200, 200]),
        ("503:every=2,times=0", [200, 503, 200, 503, 200, 503]),
        ("503:every=3,times=1", [200, 200, 503, 200, 200, 200]),
        ("503:stream=services", [200] * 6),
        ("503:stream=*,on=6", [200, 200, 200, 200, 200, 503]),
        ("status:code=500,page=1,times=2", [500, 500, 200, 200, 200, 200]),
        ("500:page=2", [200] * 6),
    ],
)
def test_a_fault_fires_on_the_request_it_names(
    sandbox: Sandbox, api: httpx.Client, fault: str, expected: list[int]
) -> None:
    order(sandbox, fault)
    assert statuses(api, 6) == expected


def test_a_fault_on_a_page_waits_for_that_page(sandbox: Sandbox, api: httpx.Client) -> None:
    order(sandbox, "503:page=3")
    token = None
    answers = []
    for _ in range(4):
        query = {"page_size": 10} | ({"page_token": token} if token else {})
        answer = api.get("/appointments", params=query)
        answers.append(answer.status_code)
        token = answer.json().get("next_page_token", token)
    assert answers == [200, 200, 503, 200]


def test_faults_take_turns(sandbox: Sandbox, api: httpx.Client) -> None:
    order(sandbox, "503", "429", "missing-next-page-token")
    answers = [api.get("/appointments") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 429, 200, 200]
    assert ["next_page_token" in answer.json() for answer in answers[2:]] == [False, True]
    assert [fault["fired"] for fault in sandbox.faults.report()] == [1, 1, 1]


@pytest.mark.parametrize("target", ["token", "appointments/id", "organization", "hold"])
def test_any_endpoint_can_fail(sandbox: Sandbox, api: httpx.Client, target: str) -> None:
    order(sandbox, f"503:stream={target}")
    answers = {
        "token": lambda: httpx.post(sandbox.token_url),
        "appointments/id": lambda: api.get("/appointments/a_b97f4a7c15"),
        "organization": lambda: api.get("/organization"),
        "hold": lambda: api.post("/appointments/hold", json={}),
    }
    assert answers[target]().status_code == 503
    assert answers[target]().status_code in (200, 401, 422)


def test_retry_after_comes_in_every_form(sandbox: Sandbox, api: httpx.Client) -> None:
    forms = ("7", "date+30", "past", "huge", "garbage")
    order(sandbox, *(f"429:retry_after={form}" for form in forms), "503")
    seconds, date, past, huge, garbage, none = (
        api.get("/appointments").headers.get("retry-after") for _ in range(6)
    )
    assert (seconds, garbage, none) == ("7", "soon", None)
    assert huge is not None
    assert int(huge) > 100_000_000
    now = datetime.now(UTC)
    assert date is not None
    assert past is not None
    assert parsedate_to_datetime(date) > now > parsedate_to_datetime(past)


def test_impatience_is_counted(sandbox: Sandbox, api: httpx.Client) -> None:
    sandbox.observed.reset()
    order(sandbox, "429:retry_after=100", "429:retry_after=date+100", "429:retry_after=5")
    api.get("/appointments")
    api.get("/appointments")
    assert sandbox.observed.report()["too_early"] == 1
    sandbox.clock.advance(101)
    api.get("/appointments")
    assert sandbox.observed.report()["too_early"] == 1
    api.get("/appointments")
    assert sandbox.observed.report()["too_early"] == 2


def test_a_token_can_be_revoked_on_the_way(sandbox: Sandbox, api: httpx.Client) -> None:
    order(sandbox, "revoke-token:on=2")
    assert statuses(api, 4) == [200, 401, 401, 401]


@pytest.mark.parametrize(("fault", "status"), [("", 410), (":code=400", 400)])
def test_a_page_token_expires_only_where_there_is_one(
    sandbox: Sandbox, api: httpx.Client, fault: str, status: int
) -> None:
    order(sandbox, f"expire-page-token{fault}")
    token = api.get("/appointments", params={"page_size": 10}).json()["next_page_token"]
    answers = [api.get("/appointments", params={"page_token": token}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, 200]


def test_a_body_shorter_than_its_length(sandbox: Sandbox, api: httpx.Client, raw: Any) -> None:
    order(sandbox, "truncate:times=2")
    head, body = raw()
    announced = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert len(body) == announced // 2
    with pytest.raises(httpx.RemoteProtocolError, match="closed connection"):
        api.get("/appointments")
    assert api.get("/appointments").status_code == 200


def test_a_chunk_that_is_cut(sandbox: Sandbox, api: httpx.Client, raw: Any) -> None:
    order(sandbox, "truncate:mode=chunk,times=2")
    head, body = raw()
    assert b"transfer-encoding: chunked" in head
    size, _, chunk = body.partition(b"\r\n")
    assert len(chunk) == int(size, 16) // 2
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/appointments")


def test_a_body_that_ends_with_the_connection_and_lacks_the_key(
    sandbox: Sandbox, api: httpx.Client, raw: Any
) -> None:
    order(
        sandbox,
        "truncate:mode=close,keep=100,times=2",
        "missing-next-page-token:times=2",
    )
    head, body = raw()
    assert b"content-length" not in head
    assert b"chunked" not in head
    assert set(json.loads(body)) == {"items"}
    assert set(api.get("/appointments").json()) == {"items"}


def test_a_page_without_the_key_and_a_last_page_with_an_empty_token(
    sandbox: Sandbox, api: httpx.Client
) -> None:
    order(sandbox, "missing-next-page-token")
    assert set(api.get("/appointments").json()) == {"items"}
    order(sandbox, "empty-last-token:times=0")
    pages = [api.get("/appointments", params={"page_size": size}).json() for size in (10, 60)]
    assert pages[0]["next_page_token"]
    assert pages[1]["next_page_token"] == ""


def test_a_repeated_page_loses_nothing(sandbox: Sandbox, api: httpx.Client) -> None:
    right = drain(api)
    order(sandbox, "repeat-page:page=3")
    pages = drain(api)
    assert pages == [right[0], right[1], right[1], *right[2:]]


@pytest.mark.parametrize("back", [0, 2])
def test_a_cycle_leads_back_for_ever(sandbox: Sandbox, api: httpx.Client, back: int) -> None:
    order(sandbox, f"cycle:page=3,times=0,back={back}")
    pages = drain(api)
    assert len(pages) == 30
    assert len({json.dumps(page) for page in pages}) == 3


def test_records_move_between_pages_and_stay_the_same(sandbox: Sandbox, api: httpx.Client) -> None:
    before = sandbox.world.checksums()
    order(sandbox, "drift:page=2,count=5")
    listed = [item["appointment_id"] for page in drain(api) for item in page]
    assert len(listed) == 60
    assert len(set(listed)) == 55
    again = [item["appointment_id"] for page in drain(api) for item in page]
    assert len(set(again)) == 60
    assert sandbox.world.checksums() == before
    assert api.get(f"/appointments/{again[0]}").json()["appointment_id"] == again[0]


@pytest.mark.parametrize("what", ["missing-id", "null-id", "bad-time", "not-object", "wrong-types"])
def test_malformed_records_come_on_top(sandbox: Sandbox, api: httpx.Client, what: str) -> None:
    before = sandbox.world.checksums()
    order(sandbox, f"malformed:what={what},page=2,count=3")
    right, spoilt = drain(api)[1], drain(api)[1]
    assert (len(right), len(spoilt)) == (13, 10)
    broken = right[10:]
    if what == "not-object":
        assert not any(isinstance(item, dict) for item in broken)
    else:
        assert len({json.dumps(item) for item in broken}) == (3 if "id" not in what else 1)
    assert sandbox.world.checksums() == before


def test_bytes_drip(sandbox: Sandbox, api: httpx.Client) -> None:
    whole = api.get("/appointments").content
    order(sandbox, "drip:chunk=5000,seconds=0")
    with api.stream("GET", "/appointments") as answer:
        assert answer.headers["content-length"] == str(len(whole))
        assert b"".join(answer.iter_raw()) == whole


def test_a_bomb_is_small_until_it_is_unpacked(
    sandbox: Sandbox, api: httpx.Client, raw: Any
) -> None:
    order(sandbox, "gzip-bomb:size=20000000,times=2")
    head, body = raw()
    assert b"content-encoding: gzip" in head
    assert len(body) < 200_000
    assert len(gzip.decompress(body)) == 20_000_000
    assert len(api.get("/appointments").json()["items"]) == 60


def test_a_huge_page_is_still_json(sandbox: Sandbox, api: httpx.Client) -> None:
    order(sandbox, "huge-page:size=3000000")
    answer = api.get("/appointments")
    assert len(answer.content) == 3_000_000
    assert len(answer.json()["items"]) == 60


def test_something_else_answers(sandbox: Sandbox, api: httpx.Client) -> None:
    order(sandbox, "html", "redirect:to=http://127.0.0.1:9/x", "redirect:code=307")
    page, moved, moved_again = (api.get("/appointments") for _ in range(3))
    assert page.headers["content-type"].startswith("text/html")
    assert (moved.status_code, moved.headers["location"]) == (302, "http://127.0.0.1:9/x")
    assert moved_again.status_code == 307


@pytest.mark.parametrize("fault", ["drop", "stall:seconds=0"])
def test_nothing_answers(sandbox: Sandbox, api: httpx.Client, raw: Any, fault: str) -> None:
    order(sandbox, f"{fault},times=2" if ":" in fault else f"{fault}:times=2")
    assert raw() == (b"", b"")
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        api.get("/appointments")
    assert api.get("/appointments").status_code == 200


def test_a_sandbox_ends_in_the_middle_of_an_answer(
    sign_in: Any, caplog: pytest.LogCaptureFixture
) -> None:
    drip = read_fault("drip:chunk=1,seconds=60")
    with Sandbox(SandboxOptions(appointments=60, faults=[drip])) as sandbox:
        request = sign_in(sandbox).stream("GET", "/appointments")
        answer = request.__enter__()
        assert answer.status_code == 200
    with pytest.raises(httpx.TransportError):
        answer.read()
    assert not caplog.records


def test_an_answer_lost_on_the_way_back_can_be_asked_for_again(serve: Any, sign_in: Any) -> None:
    sandbox = serve(faults=[read_fault("truncate:stream=hold,keep=10")])
    api = sign_in(sandbox)
    slot = api.get("/availability", params={"service_id": "s_cut"}).json()["slots"][-1]
    body = {
        "organization_id": sandbox.organization_id,
        "service_id": "s_cut",
        "appointment_time": slot["start"],
        "staff_id": slot["staff_id"],
    }
    headers = {"idempotency-key": "one"}
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/appointments/hold", json=body, headers=headers)
    assert api.post("/appointments/hold", json=body, headers=headers).status_code == 201
    assert api.post("/appointments/hold", json=body).status_code == 409


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("503:on=0", "on"),
        ("503:retry_after=later", "retry_after"),
        ("truncat", "Did you mean truncate"),
        ("zzz", "Kinds: status"),
        ("truncate:mode=half", "mode"),
        ("drip:bits=3", "bits"),
        ("99", "code"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(text: str, word: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_fault(text)
    assert word in refusal.value.message + refusal.value.hint


def test_text_and_json_order_the_same() -> None:
    assert read_fault("429:on=3,retry_after=2") == read_fault(
        {"kind": "status", "code": 429, "on": 3, "retry_after": "2"}
    )
    assert read_fault("drip") == Fault(kind="drip")
