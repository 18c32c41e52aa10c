"""Webhook events on their way into the change feed: merged, fetched, or put aside."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zimun_sync.daemon.steps import apply
from zimun_sync.daemon.workers import AT_ONCE
from zimun_sync.errors import RequestRefused, SourceUnavailable
from zimun_sync.events import EventsApplied, RecordsFetched
from zimun_sync.model import APPOINTMENTS, to_micros
from zimun_sync.normalize import Places, Rules
from zimun_sync.normalize.process import Setup
from zimun_sync.pipeline.ahead import in_turn
from zimun_sync.pipeline.inbox import Applying, Fetching
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.pull import Pull
from zimun_sync.pipeline.retries import Retrying
from zimun_sync.store import Received, RulesChanged, Store, Understood
from zimun_sync.store.quarantine import SOURCE_SIDE

Make = Callable[..., dict[str, Any]]
T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)


def at(minutes: float) -> str:
    return (T0 + timedelta(minutes=minutes)).isoformat()


class Mail:
    """Events for source `main`, and the steps that take them in."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.store: Store = bench.store
        self.store.add_source("main")
        lease = self.store.leases.acquire("source:main")
        self.source = EventSource("main", bench.rules, lease)
        self._count = 0

    def send(
        self, data: Any, kind: str = "appointment.updated", *, id_: str = "", sent: float = 0
    ) -> str:
        body = json.dumps({"type": kind, "timestamp": at(sent), "data": data}).encode()
        return self.send_bytes(body, id_=id_, sent=sent)

    def send_bytes(self, body: bytes, *, id_: str = "", sent: float = 0) -> str:
        self._count += 1
        event_id = id_ or f"e{self._count}"
        sent_at = to_micros(T0 + timedelta(minutes=sent))
        self.store.inbox.add([Received("main", event_id, sent_at, body)])
        return event_id

    def apply(self) -> None:
        applying = Applying(self.source, self.store, self.bench.events.append)
        while applying.step():
            pass

    def fetch(self) -> bool:
        stop = self.bench.options.stop
        emit = self.bench.events.append
        return Fetching(self.source, self.bench.api, self.store, emit, stop.is_set).step()

    def retry(self) -> bool:
        return Retrying(self.source, self.store).step()

    def rows(self) -> dict[str, dict[str, Any] | None]:
        """Appointments as sinks would see them; None for deleted ones."""
        names = [column.name for column in APPOINTMENTS.content]
        changes = self.store.feed.changes("main", "appointments", 0, 10_000)
        return {
            change.key: None if change.row is None else dict(zip(names, change.row, strict=True))
            for change in changes
        }

    def notes(self, key: str = "a_00001") -> Any:
        row = self.rows()[key]
        assert row is not None
        return row["notes"]

    def quarantine(self) -> list[tuple[str, str]]:
        entries = self.store.quarantine.entries(source="main", sink=SOURCE_SIDE)
        return [(entry.key, entry.code) for entry in entries]


@pytest.fixture
def mail(bench: Any) -> Mail:
    return Mail(bench)


# -- events that carry the appointment ------------------------------------------------------


def test_a_carried_appointment_is_stored(mail: Mail, make_appointment: Make) -> None:
    mail.send(make_appointment(1, notes="window seat"), "appointment.created")
    mail.apply()
    assert mail.notes() == "window seat"
    assert mail.store.inbox.waiting("main") == 0
    assert mail.bench.of(EventsApplied)[0].changed == 1
    assert mail.bench.api.by_id_calls == []


def test_the_newest_of_events_in_any_order_stands(mail: Mail, make_appointment: Make) -> None:
    for minutes in (2, 3, 1):
        mail.send(make_appointment(1, notes=f"at {minutes}", updated_at=at(minutes)))
    mail.apply()
    assert mail.notes() == "at 3"


def test_where_the_source_gives_no_version_the_events_own_time_counts(
    mail: Mail, make_appointment: Make
) -> None:
    bare = {k: v for k, v in make_appointment(1).items() if k != "updated_at"}
    mail.send(bare | {"notes": "new"}, sent=5)
    mail.apply()
    mail.send(bare | {"notes": "old"}, sent=4)  # sent again by a server that was late
    mail.apply()
    assert mail.notes() == "new"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_repetition_come_to_the_same(
    mail: Mail, make_appointment: Make, data: st.DataObject
) -> None:
    mail._count += 1
    number = mail._count
    versions = [make_appointment(number, notes=f"v{n}", updated_at=at(n)) for n in range(4)]
    order: Sequence[int] = data.draw(
        st.permutations([0, 1, 2, 3]).flatmap(
            lambda base: st.lists(st.sampled_from(base), max_size=6).map(lambda more: base + more)
        )
    )
    for index in order:
        mail.send(versions[index], id_=f"{number}-{index}")
        if data.draw(st.booleans()):
            mail.apply()
    mail.apply()
    assert mail.notes(f"a_{number:05d}") == "v3"


def test_an_event_during_a_pull_does_not_lose_to_the_older_page(
    mail: Mail, make_appointment: Make
) -> None:
    bare = {k: v for k, v in make_appointment(15).items() if k != "updated_at"}
    api, listed = mail.bench.api, mail.bench.api.page
    api.put("appointments", bare | {"notes": "page"})
    api.now = T0

    def page(*arguments: Any) -> Any:
        answer = listed(*arguments)  # as the API saw it, before the customer called
        mail.send(bare | {"notes": "webhook"}, sent=5)
        mail.apply()
        return answer

    api.page = page
    emit, stop = mail.bench.events.append, mail.bench.options.stop
    pull = Pull("main", api, mail.store, mail.source.lease, in_turn, emit, stop.is_set)
    run = pull.run(Setup("appointments", mail.source.rules, Places()))
    assert (run.records, run.changed) == (1, 0)
    assert mail.notes("a_00015") == "webhook"


def test_an_event_normalized_before_the_places_changed_is_normalized_again(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1))
    store, source = mail.store, mail.source
    rules = store.renormalizer.fingerprint("main")
    store.renormalizer.mark_current(source.lease, "main", "before")
    with pytest.raises(RulesChanged):
        store.inbox.settle(source.lease, "main", "appointments", Understood(), rules)
    during = store.renormalizer.fingerprint("main")
    store.renormalizer.begin(source.lease, "main")  # a pull goes through the rows
    with pytest.raises(RulesChanged):
        store.inbox.settle(source.lease, "main", "appointments", Understood(), during)
    mail.apply()
    assert store.inbox.waiting("main") == 0


# -- thin events ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [{"appointment_id": "a_00001"}, {"id": "a_00001", "status": "cancelled"}]
)
def test_an_event_with_little_more_than_an_id_is_fetched(
    mail: Mail, make_appointment: Make, data: dict[str, Any]
) -> None:
    mail.bench.api.put("appointments", make_appointment(1, notes="fetched"))
    mail.send(data)
    mail.apply()
    assert mail.rows() == {}
    assert mail.store.inbox.waiting("main") == 1
    mail.fetch()
    assert mail.notes() == "fetched"
    assert mail.store.inbox.waiting("main") == 0


def test_many_thin_events_for_one_record_cost_one_request(
    mail: Mail, make_appointment: Make
) -> None:
    mail.bench.api.put("appointments", make_appointment(1))
    for _ in range(20):
        mail.send({"appointment_id": "a_00001"})
    mail.apply()
    mail.fetch()
    assert mail.bench.api.by_id_calls == ["a_00001"]
    assert mail.store.inbox.waiting("main") == 0


def test_an_event_that_lacks_fields_of_the_stored_record_is_fetched(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1, notes="kept"))
    mail.apply()
    partial = make_appointment(1, status="cancelled", updated_at=at(9))
    mail.bench.api.put("appointments", partial | {"notes": "kept"})
    mail.send(partial)
    mail.apply()
    assert mail.notes() == "kept"
    mail.fetch()
    row = mail.rows()["a_00001"]
    assert row is not None
    assert (row["status"], row["notes"]) == ("cancelled", "kept")


def test_a_deletion_event_asks_but_deletes_nothing_by_itself(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1))
    mail.apply()
    mail.send(make_appointment(1), "appointment.deleted")
    mail.apply()
    mail.fetch()
    assert mail.bench.of(RecordsFetched)[-1].gone == 1
    assert mail.rows()["a_00001"] is not None  # only a complete listing is proof enough
    assert mail.store.inbox.waiting("main") == 0


def test_thin_events_wait_while_the_api_is_away(mail: Mail, make_appointment: Make) -> None:
    mail.bench.api.put("appointments", make_appointment(1))

    def away(_key: str) -> None:
        raise SourceUnavailable("Away.")

    mail.bench.api.on_record = away
    mail.send({"appointment_id": "a_00001"})
    mail.apply()
    with pytest.raises(SourceUnavailable):
        mail.fetch()
    assert mail.store.inbox.waiting("main") == 1
    mail.bench.api.on_record = lambda _key: None
    mail.fetch()
    assert mail.store.inbox.waiting("main") == 0


def test_a_record_that_cannot_be_asked_for_goes_to_quarantine(mail: Mail) -> None:
    def refuse(_key: str) -> None:
        raise RequestRefused("Not an id.", status=400)

    mail.bench.api.on_record = refuse
    mail.send({"appointment_id": "a/b"})
    mail.apply()
    mail.fetch()
    assert mail.quarantine() == [("a/b", "not-fetchable")]
    assert mail.store.inbox.waiting("main") == 0


def test_what_is_fetched_wins_over_a_version_from_the_future(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1, notes="wrong clock", updated_at="2130-01-01T00:00:00Z"))
    mail.apply()
    mail.bench.api.put("appointments", make_appointment(1, notes="right"))
    mail.bench.api.now = datetime.now(UTC) + timedelta(hours=1)
    mail.send({"appointment_id": "a_00001"})
    mail.apply()
    mail.fetch()
    assert mail.notes() == "right"


# -- records that are buried --------------------------------------------------------------------


def bury(mail: Mail, minutes: float) -> None:
    """A listing missed the appointment, and the API said then that it is gone."""
    run = mail.store.runs.begin(mail.source.lease, "main", "appointments", "p", fresh=True)
    gone_at = to_micros(T0 + timedelta(minutes=minutes))
    mail.store.missing.bury(mail.source.lease, run, {"a_00001": gone_at})


def test_an_event_of_a_record_that_is_back_unchanged_is_asked_about(
    mail: Mail, make_appointment: Make
) -> None:
    """What was deleted by mistake and put back has the time of its last change."""
    mail.send(make_appointment(1, notes="kept"))
    mail.apply()
    bury(mail, 5)
    mail.bench.api.put("appointments", make_appointment(1, notes="kept"))
    mail.bench.api.now = datetime.now(UTC) + timedelta(hours=1)
    mail.send(make_appointment(1, notes="kept"), "appointment.created", sent=6)
    mail.apply()
    assert mail.rows() == {"a_00001": None}
    mail.fetch()
    assert mail.notes() == "kept"
    assert mail.store.inbox.waiting("main") == 0


def test_a_late_event_of_a_record_that_is_gone_costs_one_request_and_tells_its_past(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1, updated_at=at(1)))
    mail.apply()
    bury(mail, 5)
    for minutes in (2, 3):
        mail.send(make_appointment(1, notes=f"at {minutes}", updated_at=at(minutes)))
    mail.apply()
    mail.fetch()
    assert mail.bench.api.by_id_calls == ["a_00001"]
    assert mail.rows() == {"a_00001": None}
    versions = mail.store.versions.of("main", "appointments", "a_00001")
    assert sorted(each.version for each in versions) == [
        to_micros(T0 + timedelta(minutes=minutes)) for minutes in (1, 2, 3, 5)
    ]


def test_an_event_of_a_record_that_was_booked_again_later_needs_no_request(
    mail: Mail, make_appointment: Make
) -> None:
    mail.send(make_appointment(1))
    mail.apply()
    bury(mail, 5)
    mail.send(make_appointment(1, notes="again", updated_at=at(6)))
    mail.apply()
    assert mail.notes() == "again"
    assert (mail.bench.api.by_id_calls, mail.store.inbox.waiting("main")) == ([], 0)


# -- what is not understood -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe not even text", "unknown-shape"),
        (b"[]", "unknown-shape"),
        (b'{"type": "appointment.updated"}', "unknown-shape"),
        (b'{"type": 7, "data": {}}', "unknown-shape"),
        (b"[" * 5000, "unknown-shape"),
        (b'{"type": "invoice.paid", "data": {"id": "i_1"}}', "unknown-event"),
        (b'{"type": "appointment.updated", "data": {"name": "?"}}', "missing-id"),
        (b'{"type": "appointment.updated", "data": [1]}', "missing-id"),
    ],
)
def test_what_nobody_understands_is_kept_once(mail: Mail, body: bytes, code: str) -> None:
    event_id = mail.send_bytes(body)
    mail.apply()
    mail.send_bytes(body, id_=event_id)
    mail.apply()
    assert mail.quarantine() == [(f"event:{event_id}", code)]
    assert mail.store.quarantine.entries()[0].raw == body
    assert mail.store.quarantine.entries()[0].attempts == 1


def test_a_record_of_a_wrong_type_is_kept_under_its_key(mail: Mail, make_appointment: Make) -> None:
    mail.send(make_appointment(1, appointment_time=7))
    mail.apply()
    assert [key for key, _ in mail.quarantine()] == ["a_00001"]
    mail.send(make_appointment(1, updated_at=at(1)))
    mail.apply()
    assert mail.quarantine() == []


def test_another_organizations_record_is_never_mixed_in(mail: Mail, make_appointment: Make) -> None:
    mail.store.remember_organization("main", "o_1")
    event_id = mail.send(make_appointment(1, organization_id="o_2"))
    mail.apply()
    assert mail.quarantine() == [(f"event:{event_id}", "other-organization")]
    assert mail.rows() == {}


def test_a_complete_listing_leaves_events_in_quarantine(mail: Mail, make_appointment: Make) -> None:
    event_id = mail.send({}, "invoice.paid")
    mail.apply()
    mail.store.leases.release(mail.source.lease)
    mail.bench.api.put("appointments", make_appointment(1))
    mail.bench.sync()
    assert mail.quarantine() == [(f"event:{event_id}", "unknown-event")]


# -- retries ----------------------------------------------------------------------------------


def test_an_event_that_is_retried_is_looked_at_again(mail: Mail, make_appointment: Make) -> None:
    mail.store.remember_organization("main", "o_1")
    mail.send(make_appointment(1, organization_id="o_2"))
    mail.apply()
    entry = mail.store.quarantine.entries()[0]
    mail.store.remember_organization("main", "o_2")
    mail.store.quarantine.mark(entry.id, "retry")
    assert mail.retry()
    mail.apply()
    assert (mail.quarantine(), list(mail.rows())) == ([], ["a_00001"])


def test_an_event_that_is_still_not_understood_counts_another_attempt(mail: Mail) -> None:
    mail.send({}, "invoice.paid")
    mail.apply()
    mail.store.quarantine.mark(mail.store.quarantine.entries()[0].id, "retry")
    mail.retry()
    mail.apply()
    entries = mail.store.quarantine.entries()
    assert [(entry.status, entry.attempts) for entry in entries] == [("open", 2)]


def test_an_events_retry_survives_the_end_of_its_id(mail: Mail, make_appointment: Make) -> None:
    mail.store.remember_organization("main", "o_1")
    mail.send(make_appointment(1, organization_id="o_2"))
    mail.apply()
    mail.store.remember_organization("main", "o_2")
    with mail.store._database.write(durable=True) as connection:
        connection.exec_driver_sql("DELETE FROM inbox")  # as retention does
    mail.store.quarantine.mark(mail.store.quarantine.entries()[0].id, "retry")
    mail.retry()
    mail.apply()
    assert list(mail.rows()) == ["a_00001"]


def test_a_record_that_could_not_be_fetched_is_fetched_again(
    mail: Mail, make_appointment: Make
) -> None:
    def refuse(_key: str) -> None:
        raise RequestRefused("Not now.", status=400)

    mail.bench.api.on_record = refuse
    mail.send({"appointment_id": "a_00001"})
    mail.apply()
    mail.fetch()
    mail.bench.api.on_record = lambda _key: None
    mail.bench.api.put("appointments", make_appointment(1))
    mail.store.quarantine.mark(mail.store.quarantine.entries()[0].id, "retry")
    mail.retry()
    mail.fetch()
    assert (mail.quarantine(), list(mail.rows())) == ([], ["a_00001"])


def test_a_record_is_read_again_with_the_rules_of_today(mail: Mail, make_appointment: Make) -> None:
    mail.send(make_appointment(1, appointment_duration="long", minutes=45))
    mail.apply()
    assert [key for key, _ in mail.quarantine()] == ["a_00001"]
    rules = Rules({"appointments": {"duration_minutes": ("minutes",)}}, {})
    mail.source = EventSource("main", rules, mail.source.lease)
    mail.store.quarantine.mark(mail.store.quarantine.entries()[0].id, "retry")
    assert mail.retry()
    assert mail.quarantine() == []
    row = mail.rows()["a_00001"]
    assert row is not None
    assert row["duration_minutes"] == 45
    assert not mail.retry()


def test_nothing_of_a_paused_source_is_applied(mail: Mail, make_appointment: Make) -> None:
    mail.send(make_appointment(1, notes="while it was paused"))
    applying = Applying(mail.source, mail.store, mail.bench.events.append)
    paused = True
    step = apply(applying, Retrying(mail.source, mail.store), lambda: paused)
    assert step() != AT_ONCE
    assert mail.rows() == {}
    paused = False
    assert step() == AT_ONCE
    assert mail.notes("a_00001") == "while it was paused"
