"""Forgetting in the state, while events wait, are put aside, or come on their way."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.test_inbox import Mail, at
from zimun_sync.normalize import Rules, digests_of
from zimun_sync.pipeline.arriving import Arriving
from zimun_sync.pipeline.forgetting import forget_in_state
from zimun_sync.store import Received

Make = Callable[..., dict[str, Any]]
EMAIL, PHONE = "canary@example.net", "+493023125777"


@pytest.fixture
def mail(bench: Any) -> Mail:
    return Mail(bench)


def forget(mail: Mail) -> int:
    digests = digests_of(mail.store.forgettings.key(), [EMAIL], [PHONE], [], ["DE"])
    return mail.store.forgettings.request(digests, ["crm"])


def carry_out(mail: Mail) -> None:
    assert forget_in_state(mail.store, [mail.source], mail.bench.events.append)


def kept(mail: Mail) -> str:
    """Every byte that the state's tables hold, as text."""
    with mail.store._database.read() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = [
            tuple(row)
            for (table,) in tables.all()
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}").all()
        ]
    return repr(rows).lower()


def test_an_event_that_waits_is_fetched_anew(mail: Mail, make_appointment: Make) -> None:
    theirs = make_appointment(1, contact_name="Canary", contact_phone="+49 30/23125-777")
    mail.send(theirs)
    forget(mail)
    carry_out(mail)
    assert "canary" not in kept(mail)
    assert [thin.key for thin in mail.store.inbox.thin("main", 10)] == ["a_00001"]


def test_what_was_put_aside_is_let_go(mail: Mail) -> None:
    """Trying it again must not end in an event without a body."""
    mail.send({"email": EMAIL, "name": "Canary"}, "customer.updated")
    mail.apply()
    assert [code for _, code in mail.quarantine()] == ["unknown-event"]
    forget(mail)
    carry_out(mail)
    assert "canary" not in kept(mail)
    mail.retry()
    mail.apply()
    assert mail.quarantine() == []
    assert mail.store.inbox.waiting("main") == 0


def test_an_entry_without_bytes_that_was_marked_before(mail: Mail) -> None:
    mail.send({"email": EMAIL, "name": "Canary"}, "customer.updated")
    mail.apply()
    [entry] = mail.store.quarantine.entries(source="main")
    mail.store.quarantine.mark(entry.id, "retry")
    with mail.store._database.write(durable=False) as connection:
        connection.exec_driver_sql("UPDATE quarantine SET raw = NULL")
    assert mail.retry()
    mail.apply()
    assert mail.quarantine() == []


def test_what_comes_afterwards_is_scrubbed_before_it_is_durable(
    mail: Mail, make_appointment: Make
) -> None:
    forget(mail)
    carry_out(mail)
    arriving = Arriving(mail.store, lambda _source: mail.source.rules)
    for number, kind in enumerate(("appointment.updated", "customer.updated")):
        data = make_appointment(1, contact_name="Canary", contact_email=EMAIL)
        mail.send(data, kind, id_=f"other{number}")
        [event] = mail.store.inbox.next("main", 1)
        with mail.store._database.write(durable=False) as connection:
            connection.exec_driver_sql("DELETE FROM inbox")
        assert arriving.add([Received("main", f"e{number}", event.sent_at, event.body)]) == 1
        assert "canary" not in kept(mail)
    mail.apply()
    row = mail.rows()["a_00001"]
    assert row is not None
    assert (row["contact_name"], row["contact_email"]) == (None, None)


def test_a_partial_event_of_their_record(mail: Mail, make_appointment: Make) -> None:
    mail.send(make_appointment(1, contact_name="Canary", contact_email=EMAIL, updated_at=at(0)))
    mail.apply()
    forget(mail)
    carry_out(mail)
    nameless = make_appointment(1, contact_name="Canary", updated_at=at(5))
    for field in ("contact_email", "contact_phone"):
        nameless.pop(field, None)
    mail.send(nameless)
    mail.apply()
    assert "canary" not in kept(mail)


def test_a_source_that_is_configured_no_more(mail: Mail, make_appointment: Make) -> None:
    """What its fields are called is not known: whatever mentions someone is theirs."""
    data = make_appointment(1, contact_name=None, contact_email=None, contact_phone=None)
    mail.send(data | {"kunde": "Canary", "mail": EMAIL})
    mail.apply()
    mail.store.leases.release(mail.source.lease)
    forget(mail)
    assert forget_in_state(mail.store, [], mail.bench.events.append)
    assert "canary" not in kept(mail)
    assert mail.rows()["a_00001"] is not None


def test_what_a_person_did_by_hand(mail: Mail) -> None:
    """Also in sinks that nobody will deliver to any more."""
    number = forget(mail)
    assert not mail.store.forgettings.done_by_hand(number, ["crm"])
    assert mail.store.forgettings.done_by_hand(number, [])
    carry_out(mail)
    assert mail.store.forgettings.owed().waiting == 0


def test_nobody_asked(mail: Mail) -> None:
    assert not forget_in_state(mail.store, [mail.source], mail.bench.events.append)
    assert mail.source.rules == Rules({}, {})
