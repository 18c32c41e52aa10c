"""`POST /webhooks/{source}`: what is taken, what is refused, with what answer."""

import gzip
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable

import pytest

from tests.web.conftest import (
    FOREIGN_SECRET,
    OTHER_SECRET,
    SECRET,
    Running,
    Stage,
    event,
    signed,
    source,
)
from zimun_sync.events import EventsReceived

NOW = time.time()


def test_a_signed_event_is_durable_when_it_is_acknowledged(running: Running) -> None:
    answer = running.post(event(), signed(event()))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    (waiting,) = running.store.inbox.next("main", 10)
    assert (waiting.event_id, waiting.body) == ("msg_1", event())
    assert waiting.sent_at % 1_000_000 == 0
    assert abs(waiting.sent_at / 1e6 - time.time()) < 60
    assert running.told == [EventsReceived("main", received=1, duplicates=0)]


def test_repetitions_in_any_order_with_either_secret_are_acknowledged_and_kept_once(
    stage: Stage,
) -> None:
    running = stage.serve(sources={"main": source(webhook_secrets=[SECRET, OTHER_SECRET])})
    sent = [number for number in range(10) for _ in range(5)]
    random.Random(7).shuffle(sent)
    for position, number in enumerate(sent):
        secret = (SECRET, OTHER_SECRET)[position % 2]
        headers = signed(event(number), f"msg_{number}", secret)
        assert running.post(event(number), headers).status_code == 202
    assert sorted(running.stored()) == [(f"msg_{number}", event(number)) for number in range(10)]
    received = [each for each in running.told if isinstance(each, EventsReceived)]
    assert sum(each.received for each in received) == 10
    assert sum(each.duplicates for each in received) == 40


@pytest.mark.parametrize("body", [b"not JSON at all", b"\xff\xfe\x00", b"", b"[]"])
def test_what_is_signed_is_kept_whether_it_is_understood_or_not(
    running: Running, body: bytes
) -> None:
    assert running.post(body, signed(body)).status_code == 202
    assert running.stored() == [("msg_1", body)]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (lambda _body: {}, "missing-signature"),
        (lambda body: signed(body, secret=FOREIGN_SECRET), "wrong-signature"),
        (lambda body: signed(body + b" "), "wrong-signature"),
        (lambda body: signed(body, sent=NOW - 3600), "too-old"),
        (lambda body: signed(body, sent=NOW + 3600), "too-new"),
        (lambda body: signed(body) | {"webhook-timestamp": "now"}, "malformed-timestamp"),
        (lambda body: signed(body) | {"webhook-signature": "v1"}, "malformed-signature"),
        (lambda body: signed(body) | {"webhook-id": "msg_2"}, "wrong-signature"),
    ],
)
@pytest.mark.parametrize("body", [event(), b"\xff\x00garbage"])
def test_what_is_not_signed_well_is_401_and_leaves_no_trace(
    running: Running, headers: Callable[[bytes], dict[str, str]], code: str, body: bytes
) -> None:
    answer = running.post(body, headers(body))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said.keys() == {"error", "message"}
    assert said["error"] == code
    assert running.stored() == []
    (refusal,) = running.refusals()
    assert (refusal.source, refusal.status, refusal.reason) == ("main", 401, said["message"])
    assert "ada@example.com" not in refusal.reason + answer.text
    assert SECRET not in refusal.reason + answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/nobody",
        "/webhooks/silent",
        "/webhooks/main/",
        "/webhooks/main/x",
        "/webhooks//main",
        "/webhooks/MAIN",
        "/webhooks/m%61in",
        "/webhooks/",
        "/webhooks",
        "/",
    ],
)
def test_only_the_exact_path_of_a_source_with_secrets_is_there(running: Running, path: str) -> None:
    answer = running.post(event(), signed(event()), path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "not-found"
    assert running.stored() == running.stored("silent") == []


def test_a_query_does_not_matter(running: Running) -> None:
    assert running.post(event(), signed(event()), "/webhooks/main?from=zimun").status_code == 202


def test_a_name_that_nobody_configured_is_told_of_cut_short(running: Running) -> None:
    running.post(b"", path=f"/webhooks/{'x' * 500}")
    (refusal,) = running.refusals()
    assert (refusal.source, refusal.status) == ("x" * 63, 404)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_405(running: Running, method: str) -> None:
    answer = running.client.request(method, "/webhooks/main", headers=signed(b""))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert running.stored() == []


def test_a_compressed_body_is_415(running: Running) -> None:
    body = gzip.compress(event())
    answer = running.post(body, signed(body) | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (415, "encoded")
    assert running.post(body, signed(body) | {"content-encoding": "Identity"}).status_code == 202


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_413(stage: Stage) -> None:
    running = stage.serve(max_body_bytes=1000)
    largest = b"x" * 1000
    assert running.post(largest, signed(largest)).status_code == 202
    answer = running.post(largest + b"x", signed(largest + b"x", "msg_2"))
    assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
    for length, status in ((1000, 202), (1001, 413)):
        headers = signed(b"x" * length, f"msg_{length}")
        chunks = iter([b"x" * 600, b"x" * (length - 600)])
        answer = running.client.post("/webhooks/main", content=chunks, headers=headers)
        assert answer.status_code == status
    assert [name for name, _ in running.stored()] == ["msg_1", "msg_1000"]
    assert running.post(event(), signed(event(), "msg_4")).status_code == 202


def test_a_source_is_looked_for_before_anything_else_and_its_size_before_the_signature(
    stage: Stage,
) -> None:
    running = stage.serve(max_body_bytes=10)
    assert running.post(b"x" * 11, path="/webhooks/nobody").status_code == 404
    assert running.post(b"x" * 11).status_code == 413
    assert running.post(b"x" * 10).status_code == 401


def test_a_reload_swaps_the_secrets_of_all_sources(running: Running) -> None:
    body = event()
    assert running.post(body, signed(body, "msg_1", SECRET)).status_code == 202
    running.sources["main"] = source(webhook_secrets=[OTHER_SECRET])
    running.sources["new"] = source(webhook_secrets=[OTHER_SECRET])
    assert running.post(body, signed(body, "msg_2", SECRET)).status_code == 401
    assert running.post(body, signed(body, "msg_2", OTHER_SECRET)).status_code == 202
    new = running.post(body, signed(body, "msg_2", OTHER_SECRET), "/webhooks/new")
    assert new.status_code == 202
    assert running.stored("new") == [("msg_2", body)]


def test_one_header_with_the_hash_of_the_body(stage: Stage) -> None:
    secret = "a plain secret of some length"
    webhook = {"scheme": "hmac", "header": "X-Zimun-Signature", "prefix": "sha256="}
    running = stage.serve(sources={"main": source(webhook_secrets=[secret], webhook=webhook)})
    made = hmac.digest(secret.encode(), event(), "sha256").hex()
    began = time.time()
    for _ in range(2):
        answer = running.post(event(), {"x-zimun-signature": f"sha256={made}"})
        assert answer.status_code == 202
    (waiting,) = running.store.inbox.next("main", 10)
    assert waiting.event_id == hashlib.sha256(event()).hexdigest()
    assert began - 1 <= waiting.sent_at / 1e6 <= time.time() + 1
    assert running.post(event(), {"x-zimun-signature": made}).status_code == 401


def test_answers_are_json_and_name_no_software(running: Running) -> None:
    for answer in (running.post(event(), signed(event())), running.client.get("/nowhere")):
        assert json.loads(answer.content)
        assert "server" not in answer.headers
