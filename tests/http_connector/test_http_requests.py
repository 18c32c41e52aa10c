"""Systems of any kind: what their answers mean is said in the settings."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from tests.http_connector.conftest import Connect, context, done, refused
from tests.http_connector.web import Call, Fault, JsonSystem, Reply
from zimun_connectors.http import HttpRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    Account,
    By,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    Linking,
    NotSent,
    Refused,
    Stale,
)

START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)

Answers = Callable[[Call], Any]


class Scripted(JsonSystem):
    """Answers what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.script: Answers = lambda _: {"id": 1}

    def answer(self, call: Call) -> Reply:
        said = self.script(call)
        return said if isinstance(said, Reply) else Reply(said)


@pytest.fixture
def system() -> Iterator[Scripted]:
    with Scripted() as system:
        yield system


@pytest.fixture
def make(connect: Connect, system: Scripted) -> Callable[..., HttpRemote]:
    """A remote whose appointments have these requests."""

    def made(requests: dict[str, Any] | None = None, **settings: Any) -> HttpRemote:
        basic = {
            "read": {"path": "/read"},
            "create": {"path": "/create", "body": "{{ fields }}"},
            "update": {"path": "/update/{{ id }}", "body": "{{ fields }}"},
        }
        given = {
            "start_from": "all",
            "base_url": system.url,
            "allow_private": True,
            "account": "salon",
            "limits": {"calls": 100_000},
            "appointment": {**basic, **(requests or {})},
            **settings,
        }
        return connect(given)

    return made


def item(number: int = 1, **fields: Any) -> Item:
    return Item(f"main/a_{number}", fields or {"title": "Cut"}, token=f"token-{number}")


Make = Callable[..., HttpRemote]


def create(remote: HttpRemote, *items: Item) -> list[Any]:
    return list(remote.create(Kind.APPOINTMENT, items or [item()]))


# -- one request -----------------------------------------------------------------------------


def test_values_are_spelled_as_json_and_the_id_is_taken_from_the_answer(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: {"id": 7, "etag": 3}
    remote = make({"create": {"path": "/create", "body": "{{ fields }}", "version": "result.etag"}})
    given = item(start=START, price=Decimal("49.50"), seats=Decimal(2), note=None)
    assert create(remote, given) == [Done("main/a_1", "7", "3")]
    assert system.calls[-1].body == {
        "start": "2026-11-20T08:45:00Z",
        "price": 49.5,
        "seats": 2,
        "note": None,
    }


def test_templates_use_the_names_of_a_mapping_and_an_omitted_entry_is_left_out(
    make: Make, system: Scripted
) -> None:
    body = {
        "title": "{{ service.name or 'Visit' }} with {{ staff.name }}",
        "day": "{{ starts_at | local('Europe/Vienna') | date }}",
        "note": "{{ notes or omit }}",
        "list": ["{{ notes or omit }}", "{{ key }}"],
    }
    headers = {"X-Note": "{{ notes or omit }}", "X-Status": "{{ status }}"}
    remote = make({"create": {"path": "/create", "body": body, "headers": headers}})
    row = {"starts_at": START, "status": "confirmed", "staff": {"name": "Mona"}}
    create(remote, Item("main/a_1", {}, row=row))
    call = system.calls[-1]
    assert call.body == {"title": "Visit with Mona", "day": "2026-11-20", "list": ["main/a_1"]}
    assert call.headers["x-status"] == "confirmed"
    assert "x-note" not in call.headers


def test_what_a_path_is_filled_with_cannot_lead_elsewhere(make: Make, system: Scripted) -> None:
    remote = make({"update": {"path": "/items/{{ id }}", "params": {"all": "{{ true }}"}}})
    given = Item("main/a_1", {"x": 1}, id="../admin?x=1")
    done(remote.update(Kind.APPOINTMENT, [given])[0])
    assert system.calls[-1].path == "/items/../admin?x=1"  # one segment, decoded by the server
    assert system.calls[-1].params == {"all": "true"}


def test_an_error_inside_a_200_is_a_refusal_in_the_systems_words(
    make: Make, system: Scripted
) -> None:
    remote = make(
        {
            "create": {
                "path": "/create",
                "success": "status == 200 and not body.error",
                "error": {"code": "body.error[0]", "message": "body.error[1]"},
            }
        }
    )
    system.script = lambda _: {"error": ["UserError: no!", "The room\nis taken."]}
    assert create(remote) == [Refused("main/a_1", "usererror-no", "The room is taken.")]
    system.script = lambda _: {"id": 5}
    assert done(create(remote)[0]).id == "5"


def test_an_error_that_is_no_json_is_told_without_its_markup(make: Make, system: Scripted) -> None:
    system.script = lambda _: Reply("<html><h1>Bad</h1> title</html>", 400)
    outcome = refused(create(make())[0])
    assert outcome.code == "http-400"
    assert "<" not in outcome.message
    assert "Bad" in outcome.message


def test_a_success_that_is_no_json_is_not_believed(make: Make, system: Scripted) -> None:
    system.script = lambda _: Reply("<html>Please sign in</html>", 200)
    with pytest.raises(SinkUnavailable):
        create(make())


@pytest.mark.parametrize(
    ("requests", "reply", "outcome"),
    [
        ({}, Reply({}, 404), Gone("main/a_1")),
        ({}, Reply({}, 412), Stale("main/a_1")),
        ({"gone": "body.code == 'void'"}, Reply({"code": "void"}), Gone("main/a_1")),
        ({"stale": "status == 409"}, Reply({}, 409), Stale("main/a_1")),
    ],
)
def test_what_became_of_an_update_is_told_by_status_or_expression(
    make: Make, system: Scripted, requests: dict[str, Any], reply: Reply, outcome: Any
) -> None:
    remote = make({"update": {"path": "/update", **requests}})
    system.script = lambda _: reply
    given = Item("main/a_1", {"x": 1}, id="9")
    assert remote.update(Kind.APPOINTMENT, [given]) == [outcome]


def test_a_create_that_met_its_like_tells_which(make: Make, system: Scripted) -> None:
    system.script = lambda _: Reply({"existing": 33}, 409)
    exists = {"exists": "status == 409", "existing_id": "body.existing"}
    assert create(make({"create": {"path": "/c", **exists}})) == [Exists("main/a_1", "33")]
    assert create(make({"create": {"path": "/c", "exists": "status == 409"}})) == [
        Exists("main/a_1")
    ]


def test_a_system_that_says_not_now_in_a_200_is_asked_again_later(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: {"busy": True}
    remote = make({"create": {"path": "/create", "unavailable": "body.busy"}})
    with pytest.raises(SinkUnavailable, match=r"appointment\.create"):
        create(remote)


def test_missing_rights_park_the_sink_and_the_message_names_the_request(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: Reply({"message": "No."}, 403)
    with pytest.raises(SinkBroken, match=r"appointment\.create: POST /create") as raised:
        create(make())
    assert "rights" in raised.value.hint


def test_an_answer_without_an_id_names_the_key_to_correct(make: Make, system: Scripted) -> None:
    system.script = lambda _: {"uid": 7}
    with pytest.raises(SinkBroken, match="no id") as raised:
        create(make())
    assert "appointment.create.id" in raised.value.hint


def test_a_template_that_one_row_cannot_fill_in_refuses_that_row(
    make: Make, system: Scripted
) -> None:
    remote = make({"create": {"path": "/create", "body": {"at": "{{ fields.start | epoch_ms }}"}}})
    first, second = create(remote, item(1, start="soon"), item(2, start=None))
    assert refused(first).code == "template"
    assert "fields.start" in refused(first).message
    assert "soon" not in refused(first).message
    done(second)


# -- several requests ------------------------------------------------------------------------


def test_a_later_request_uses_what_an_earlier_one_kept(make: Make, system: Scripted) -> None:
    """As a party and then a patient in a clinic's system, over JSON-RPC with Basic."""

    def script(call: Call) -> Any:
        match call.body["method"]:
            case "party.search":
                return {"result": [41] if call.body["params"] == ["main/a_2"] else []}
            case "party.create":
                return {"result": [42]}
            case _:
                return {"result": [call.body["params"][0]["party"] + 100]}

    system.script = script
    steps = [
        {
            "body": {"method": "party.search", "params": ["{{ key }}"]},
            "keep": {"party": "body.result[0]"},
            "safe": True,
        },
        {
            "when": "not party",
            "body": {"method": "party.create", "params": ["{{ fields }}"]},
            "keep": {"party": "body.result[0]"},
            "safe": True,
        },
        {
            "body": {
                "method": "patient.create",
                "params": [{"party": "{{ party }}", "at": {"__class__": "datetime"}}],
            },
            "id": "body.result[0]",
            "safe": True,
        },
    ]
    auth = {"type": "basic", "username": "ana", "password": "päss"}
    remote = make({"create": steps}, auth=auth)
    assert [each.id for each in map(done, create(remote, item(1), item(2)))] == ["142", "141"]
    created = [call for call in system.calls if call.body["method"] == "party.create"]
    assert len(created) == 1
    expected = base64.b64encode("ana:päss".encode()).decode()
    assert system.calls[-1].headers["authorization"] == f"Basic {expected}"
    assert Kind.APPOINTMENT in remote.abilities.safe_creates


def test_a_row_that_an_earlier_request_refused_is_not_sent_on(make: Make, system: Scripted) -> None:
    system.script = lambda call: Reply({}, 422) if call.path == "/first" else {"id": 1}
    remote = make({"create": [{"path": "/first"}, {"path": "/second"}]})
    assert refused(create(remote)[0]).code == "http-422"
    assert not system.sent("/second")


def test_nothing_sent_is_only_said_of_the_first_request(make: Make, system: Scripted) -> None:
    limited = Fault(429, only=lambda call: call.path == "/second")
    remote = make({"create": [{"path": "/first"}, {"path": "/second"}]})
    system.fail(limited)
    with pytest.raises(SinkUnavailable) as raised:
        create(remote)
    assert not isinstance(raised.value, NotSent)


# -- batches ---------------------------------------------------------------------------------


def _said(answer: Any, _call: Call) -> Any:
    return answer


def batched(**further: Any) -> dict[str, Any]:
    body = {"inputs": "{{ rows }}"}
    return {"path": "/batch", "batch": 10, "row": {"ref": "{{ key }}"}, "body": body, **further}


def test_results_are_paired_by_order_by_key_or_by_what_they_say(
    make: Make, system: Scripted
) -> None:
    keys = ["main/a_1", "main/a_2"]
    spelled: list[tuple[dict[str, Any], Any]] = [
        ({"results": "body.list"}, {"list": [{"id": 1}, {"id": 2}]}),
        (
            {"results": "body.by_key", "match": "key"},
            {"by_key": {keys[1]: {"id": 2}, keys[0]: {"id": 1}}},
        ),
        (
            {"results": "body", "match": "key", "matched": "result.ref"},
            [{"id": 2, "ref": keys[1]}, {"id": 1, "ref": keys[0]}],
        ),
    ]
    for settings, answer in spelled:
        system.script = partial(_said, answer)
        outcomes = create(make({"create": batched(**settings)}), item(1), item(2))
        assert outcomes == [Done(keys[0], "1"), Done(keys[1], "2")]
    assert system.calls[-1].body == {"inputs": [{"ref": key} for key in keys]}


def test_a_row_without_result_is_refused_and_a_wrong_number_of_results_is_no_guess(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: [{"id": 2, "ref": "main/a_2"}]
    remote = make({"create": batched(match="key", matched="result.ref")})
    first, second = create(remote, item(1), item(2))
    assert (refused(first).code, done(second).id) == ("no-result", "2")
    with pytest.raises(SinkBroken, match="1 results for 2 rows"):
        create(make({"create": batched()}), item(1), item(2))


def test_a_batch_that_is_refused_as_a_whole_is_halved_to_its_bad_rows(
    make: Make, system: Scripted
) -> None:
    def script(call: Call) -> Any:
        refs = [each["ref"] for each in call.body["inputs"]]
        if "main/a_3" in refs:
            return {"error": "main/a_3 is bad"}
        return [{"id": ref} for ref in refs]

    system.script = script
    create_request = batched(success="not body.error", error={"message": "body.error"})
    outcomes = create(make({"create": create_request}), *(item(number) for number in range(8)))
    bad = [each for each in outcomes if isinstance(each, Refused)]
    assert [(each.key, each.message) for each in bad] == [("main/a_3", "main/a_3 is bad")]
    assert sum(isinstance(each, Done) for each in outcomes) == 7


def test_one_bad_result_in_a_batch_that_succeeded_is_one_refusal(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: [{"id": 1}, {"oops": "No such room", "why": "NO_ROOM"}]
    settings = batched(failed="result.oops", error={"code": "result.why", "message": "result.oops"})
    first, second = create(make({"create": settings}), item(1), item(2))
    done(first)
    assert second == Refused("main/a_2", "no-room", "No such room")


def test_the_engine_gives_no_more_than_can_be_settled(make: Make) -> None:
    alone = make(
        {"create": {"path": "/create"}, "read": {"path": "/r", "batch": 50, "id": "result.id"}}
    )
    assert alone.abilities.batch == 1
    assert make({"create": {"path": "/create", "safe": True}}).abilities.batch == 1
    read = {"path": "/r", "batch": 50}
    assert make({"create": {"path": "/c", "safe": True}, "read": read}).abilities.batch == 20
    assert make({"create": batched(), "update": batched()}).abilities.batch == 10


# -- idempotency -----------------------------------------------------------------------------


def test_the_token_travels_in_the_header_and_makes_creates_safe(
    make: Make, system: Scripted
) -> None:
    steps = [{"path": "/one"}, {"path": "/two"}]
    remote = make({"create": steps}, idempotency_header="Idempotency-Key")
    create(remote)
    sent = [call.headers["idempotency-key"] for call in system.calls[-2:]]
    assert sent == ["token-1", "token-1-1"]
    assert remote.abilities.safe_creates == {Kind.APPOINTMENT}
    assert not make().abilities.safe_creates


# -- looking up ------------------------------------------------------------------------------


def test_only_what_really_has_the_value_is_found_over_all_pages(
    make: Make, system: Scripted
) -> None:
    pages = {
        None: {"items": [{"id": 1, "mail": "Ana@Example.com"}], "next": "b"},
        "b": {"items": [{"id": 2, "mail": "ana@example.com.au"}], "next": "c"},
        "c": {"items": [{"id": 3, "mail": "ana@example.com"}]},
    }
    system.script = lambda call: pages[call.params.get("after")]
    email = {
        "method": "GET",
        "path": "/search",
        "params": {"q": "{{ value }}", "after": "{{ cursor }}"},
        "results": "body.items",
        "value": "result.mail",
        "next": "body.next",
    }
    remote = make({"find": {"email": email}})
    found = remote.find(Kind.APPOINTMENT, By.EMAIL, ["ana@example.com"], [])
    assert [each.id for each in found["ana@example.com"]] == ["1", "3"]
    assert system.calls[-1].params["q"] == "ana@example.com"
    assert remote.find(Kind.APPOINTMENT, By.PHONE, ["+43"], []) == {}


def test_pages_without_end_are_not_followed_for_ever(make: Make, system: Scripted) -> None:
    system.script = lambda _: {"items": [], "next": "again"}
    key = {"path": "/s", "results": "body.items", "next": "body.next"}
    with pytest.raises(SinkBroken, match="do not end"):
        make({"find": {"key": key}}).find(Kind.APPOINTMENT, By.KEY, ["main/a_1"], [])


def test_a_batch_that_is_not_found_because_of_one_value_is_halved(
    make: Make, system: Scripted
) -> None:
    def script(call: Call) -> Any:
        ids = call.body
        return Reply({}, 404) if "3" in ids else [{"id": each} for each in ids]

    system.script = script
    remote = make({"read": {"path": "/read", "batch": 10, "body": "{{ values }}"}})
    assert remote.read(Kind.APPOINTMENT, ["1", "2", "3", "4"], []).keys() == {"1", "2", "4"}


def test_a_merged_object_is_found_by_its_former_id(make: Make, system: Scripted) -> None:
    system.script = lambda _: {"id": 8, "title": "Cut"}
    read = {"method": "GET", "path": "/items/{{ value }}"}
    found = make({"read": read}).read(Kind.APPOINTMENT, ["5"], ["title"])
    assert found["5"].id == "8"


def test_fields_are_read_by_path_by_expression_and_by_type(make: Make, system: Scripted) -> None:
    system.script = lambda _: {
        "id": 1,
        "when": {"at": "20.11.2026 08:45"},
        "room": {"name": "Blue"},
        "who": [7, "Mona"],
        "note": "",
        "open": False,
        "seats": 0,
    }
    remote = make(
        {
            "present": {"start": "result.when.at"},
            "types": {"start": "instant", "open": "boolean", "who": "reference"},
            "read": {"method": "GET", "path": "/items/{{ value }}"},
        },
        spelling={
            "instant": {
                "write": "{{ value | strftime('%d.%m.%Y %H:%M') }}",
                "read": "value | instant('%d.%m.%Y %H:%M')",
            },
            "empty": {"write": "", "read": ["", False]},
        },
    )
    names = ["start", "room.name", "who", "note", "open", "seats", "nothing"]
    assert remote.read(Kind.APPOINTMENT, ["1"], names)["1"].fields == {
        "start": START,
        "room.name": "Blue",
        "who": "7",
        "note": None,
        "open": False,
        "seats": 0,
        "nothing": None,
    }
    create(remote, item(start=START, note=None, who="12"))
    assert system.calls[-1].body == {"start": "20.11.2026 08:45", "note": "", "who": 12}


def test_a_lookup_that_is_refused_is_a_mistake_and_not_an_absence(
    make: Make, system: Scripted
) -> None:
    system.script = lambda _: Reply({"message": "Unknown filter"}, 400)
    remote = make({"find": {"key": {"path": "/search"}}})
    with pytest.raises(SinkBroken, match="Unknown filter") as raised:
        remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1"], [])
    assert "appointment.find.key.none" in raised.value.hint


# -- account, authorization ------------------------------------------------------------------


def test_an_account_is_a_constant_or_asked_for(make: Make, system: Scripted) -> None:
    assert make().connect(context()) == Account("salon", "salon")
    system.script = lambda _: {"org": {"id": 12, "name": "Salon Ana"}}
    account = {"method": "GET", "path": "/me", "id": "body.org.id", "label": "body.org.name"}
    assert make(account=account).connect(context()) == Account("12", "Salon Ana")


def test_a_token_is_fetched_with_client_credentials_and_again_when_it_is_refused(
    make: Make, system: Scripted
) -> None:
    tokens = iter(["first", "second"])

    def script(call: Call) -> Any:
        if call.path == "/token":
            return {"access_token": next(tokens), "token_type": "bearer", "expires_in": 3600}
        fresh = call.headers["authorization"] == "Bearer second"
        return {"id": 1} if fresh else Reply({}, 401)

    system.script = script
    auth = {
        "type": "oauth2",
        "token_url": f"{system.url}/token",
        "client_id": "zimun",
        "client_secret": "secret",
        "client_auth": "post",
        "extra": {"scope": "bookings"},
    }
    assert done(create(make(auth=auth))[0]).id == "1"
    assert system.sent("/token")[0].body == {
        "grant_type": "client_credentials",
        "scope": "bookings",
        "client_id": "zimun",
        "client_secret": "secret",
    }


def test_a_key_travels_in_a_header_of_its_own(make: Make, system: Scripted) -> None:
    auth = {"type": "header", "name": "X-Api-Key", "value": "k-123456\n"}
    create(make(auth=auth))
    assert system.calls[-1].headers["x-api-key"] == "k-123456"


def test_a_system_without_contacts_ties_nothing(make: Make) -> None:
    assert make().abilities.linking is Linking.NONE
