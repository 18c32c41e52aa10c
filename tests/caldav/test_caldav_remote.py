"""The remote against a real calendar: create, find, change, cancel, take away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.caldav.conftest import NOW, Connect
from tests.systems.radicale import PersonsCalendar
from zimun_connectors.caldav import CaldavRemote
from zimun_connectors.caldav.events import uid_of
from zimun_sync.remotes.contract import (
    By,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    Outcome,
    Refused,
    Stale,
)

START = datetime(2026, 12, 1, 9, 45, tzinfo=UTC)
FIELDS = {
    "summary": "Haircut: Ana, Ruiz; «first» time",
    "description": "line one\nline two",
    "location": "Main street",
    "start": START,
    "end": START + timedelta(minutes=45),
    "timezone": "Europe/Vienna",
    "status": "CONFIRMED",
    "transparency": "OPAQUE",
    "categories": "Zimun, No-show",
    "x-source": "zimun",
}


def item(key: str = "main/a_1", **changes: Any) -> Item:
    return Item(key, FIELDS | changes)


def create(remote: CaldavRemote, key: str = "main/a_1", **changes: Any) -> Done:
    (outcome,) = remote.create(Kind.APPOINTMENT, [item(key, **changes)])
    assert isinstance(outcome, Done), outcome
    return outcome


def update(remote: CaldavRemote, done: Done, **fields: Any) -> Outcome:
    (outcome,) = remote.update(
        Kind.APPOINTMENT, [Item(done.key, fields, id=done.id, version=done.version)]
    )
    return outcome


def test_an_event_is_created_and_read_back_by_field(remote: CaldavRemote) -> None:
    done = create(remote)

    found = remote.read(Kind.APPOINTMENT, [done.id], list(FIELDS))[done.id]

    assert found.fields == FIELDS
    assert found.version == done.version


def test_a_persons_program_sees_an_ordinary_event(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    create(remote)

    (event,) = calendar.events()

    assert str(event["SUMMARY"]) == "Haircut: Ana, Ruiz; «first» time"
    assert event.start == START
    assert event["DTSTART"].params["TZID"] == "Europe/Vienna"
    assert (event.start.hour, event.end.hour, event.end.minute) == (10, 11, 30)
    assert event["X-ZIMUN-KEY"] == "main/a_1"
    assert event["UID"] == uid_of("main/a_1")
    assert event["DTSTAMP"].dt == event["LAST-MODIFIED"].dt == event["CREATED"].dt == NOW
    assert event["SEQUENCE"] == 0


def test_an_event_is_found_by_our_key_and_unknown_keys_find_nothing(remote: CaldavRemote) -> None:
    done = create(remote)

    found = remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1", "main/a_2"], ["summary"])

    assert [each.id for each in found["main/a_1"]] == [done.id]
    assert not found.get("main/a_2")


def test_a_second_create_of_the_same_key_says_what_exists(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)

    outcomes = remote.create(Kind.APPOINTMENT, [item(summary="Another")])

    assert outcomes == [Exists("main/a_1", done.id)]
    assert len(calendar.events()) == 1


def test_an_event_that_a_program_moved_to_another_address_is_found_when_it_is_created_again(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)
    text = calendar.text(done.id)
    calendar.delete(done.id)
    calendar.put("moved by hand.ics", text)

    (outcome,) = remote.create(Kind.APPOINTMENT, [item()])

    assert outcome == Exists("main/a_1", "moved by hand.ics")
    assert outcome.id
    assert "moved by hand.ics" in remote.read(Kind.APPOINTMENT, [outcome.id], [])


def test_a_change_sets_its_fields_and_leaves_the_others(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)

    changed = update(remote, done, location=None, summary="Colour", categories=None)

    assert isinstance(changed, Done)
    assert changed.version not in (None, done.version)
    found = remote.read(Kind.APPOINTMENT, [done.id], list(FIELDS))[done.id]
    expected = FIELDS | {"location": None, "summary": "Colour", "categories": None}
    assert found.fields == expected
    assert calendar.event(done.id)["SEQUENCE"] == 1


def test_what_a_person_added_survives_a_change(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)
    text = calendar.text(done.id)
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Prepare\r\nTRIGGER:-PT15M\r\nEND:VALARM"
    extras = f"COMMENT:allergic to dye\r\nATTENDEE;CN=Ben:mailto:ben@example.com\r\n{alarm}\r\n"
    calendar.put(done.id, text.replace("END:VEVENT", extras + "END:VEVENT"))
    version = remote.read(Kind.APPOINTMENT, [done.id], [])[done.id].version

    outcome = update(remote, Done(done.key, done.id, version), start=START + timedelta(days=1))

    assert isinstance(outcome, Done)
    event = calendar.event(done.id)
    assert event.start == START + timedelta(days=1)
    assert str(event["COMMENT"]) == "allergic to dye"
    assert str(event["ATTENDEE"]) == "mailto:ben@example.com"
    assert [str(each["DESCRIPTION"]) for each in event.walk("VALARM")] == ["Prepare"]


def test_a_change_of_something_else_since_is_stale_and_changes_nothing(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)
    calendar.put(done.id, calendar.text(done.id).replace("Main street", "Side street"))

    assert update(remote, done, summary="Colour") == Stale("main/a_1")

    assert "Haircut" in str(calendar.event(done.id)["SUMMARY"])


def test_an_event_that_a_person_deleted_is_gone(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)
    calendar.delete(done.id)

    assert update(remote, done, summary="Colour") == Gone("main/a_1")
    assert remote.read(Kind.APPOINTMENT, [done.id], []) == {}
    assert calendar.events() == []


def test_a_cancelled_event_stays_with_its_status(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)

    update(remote, done, status="CANCELLED", transparency="TRANSPARENT")

    event = calendar.event(done.id)
    assert (event["STATUS"], event["TRANSP"]) == ("CANCELLED", "TRANSPARENT")


def test_an_event_is_taken_away_once(remote: CaldavRemote, calendar: PersonsCalendar) -> None:
    done = create(remote)
    taken = Item(done.key, {}, id=done.id, version=done.version)

    assert remote.archive([taken]) == [Done("main/a_1", done.id)]
    assert remote.archive([taken]) == [Gone("main/a_1")]
    assert calendar.events() == []


def test_many_events_are_created_and_read_in_one_go(remote: CaldavRemote) -> None:
    items = [item(f"main/a_{number}", summary=f"No. {number}") for number in range(50)]

    outcomes = remote.create(Kind.APPOINTMENT, items)

    ids = [outcome.id for outcome in outcomes if isinstance(outcome, Done)]
    found = remote.read(Kind.APPOINTMENT, ids, ["summary"])
    assert [found[each].fields["summary"] for each in ids] == [f"No. {n}" for n in range(50)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"start": None}, "missing-start"),
        ({"start": "tomorrow"}, "invalid-start"),
        ({"end": START - timedelta(hours=1)}, "invalid-end"),
        ({"status": "DONE"}, "invalid-status"),
        ({"transparency": "GLASS"}, "invalid-transparency"),
        ({"attendee": "nobody"}, "invalid-attendee"),
    ],
)
def test_what_an_event_cannot_hold_is_refused_and_the_others_are_written(
    remote: CaldavRemote, fields: dict[str, Any], code: str
) -> None:
    outcomes = remote.create(Kind.APPOINTMENT, [item(**fields), item("main/a_2")])

    by_key = {outcome.key: outcome for outcome in outcomes}
    assert isinstance(by_key["main/a_2"], Done)
    refused = by_key["main/a_1"]
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_an_event_made_unreadable_by_hand_is_refused_with_a_reason(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote)
    todo = calendar.text(done.id).replace("VEVENT", "VTODO").replace("DTEND", "DUE")
    calendar.put(done.id, todo)

    found = remote.read(Kind.APPOINTMENT, [done.id], ["summary"])[done.id]
    outcome = update(remote, Done(done.key, done.id, found.version), summary="Colour")

    assert found.fields == {"summary": None}
    assert isinstance(outcome, Refused)
    assert outcome.code == "unreadable-event"


def test_control_characters_of_a_customer_do_not_break_the_calendar(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    done = create(remote, summary="A\x00n\x0ba\x1b", description="one\r\ntwo\nEND:VEVENT")

    found = remote.read(Kind.APPOINTMENT, [done.id], ["summary", "description"])[done.id]

    assert found.fields == {"summary": "Ana", "description": "one\ntwo\nEND:VEVENT"}
    assert len(calendar.events()) == 1


def test_a_customer_mapped_to_attendee_is_not_invited_unless_the_settings_say_so(
    connect: Connect, calendar: PersonsCalendar
) -> None:
    people = {"attendee": "Ana Ruiz <ana@example.com>", "organizer": "desk@example.com"}
    quiet = create(connect(), "main/a_1", **people)
    loud = create(connect(invitations="server"), "main/a_2", **people)

    first, second = (calendar.event(each.id)["ATTENDEE"].params for each in (quiet, loud))

    assert first["SCHEDULE-AGENT"] == "NONE"
    assert "SCHEDULE-AGENT" not in second
    assert first["CN"] == second["CN"] == "Ana Ruiz"


def test_another_customer_takes_the_formers_place_beside_a_persons_guests(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    people = {"attendee": "Ana Ruiz <ana@example.com>", "organizer": "desk@example.com"}
    done = create(remote, **people)
    guest = "ATTENDEE:mailto:guest@example.com\r\n"
    calendar.put(done.id, calendar.text(done.id).replace("END:VEVENT", guest + "END:VEVENT"))
    version = remote.read(Kind.APPOINTMENT, [done.id], [])[done.id].version

    update(remote, Done(done.key, done.id, version), attendee="ben@example.com")

    there = calendar.event(done.id)["ATTENDEE"]
    assert sorted(map(str, there)) == ["mailto:ben@example.com", "mailto:guest@example.com"]
    read = remote.read(Kind.APPOINTMENT, [done.id], ["attendee", "organizer"])[done.id]
    assert read.fields == {"attendee": "ben@example.com", "organizer": "desk@example.com"}
