"""Whose calendar it is, what keeps the sink from it, and what servers say in odd ways."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from tests.caldav.conftest import Connect, context, settings_for
from tests.systems.proxy import Proxy, Sent, Told, proxied
from tests.systems.radicale import PersonsCalendar, Radicale, send
from zimun_connectors.caldav import CaldavRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import Account, Done, Exists, Item, Kind, NotSent, Refused, Stale

START = datetime(2026, 12, 1, 9, 45, tzinfo=UTC)


def account_of(url: str, **settings: Any) -> Account:
    remote = CaldavRemote(settings_for(url, **settings))
    try:
        return remote.connect(context())
    finally:
        remote.close()


def item(key: str = "main/a_1", summary: str = "Haircut") -> Item:
    return Item(key, {"start": START, "summary": summary})


def through(proxy: Proxy, calendar: PersonsCalendar) -> str:
    """The calendar's address on the way through a proxy."""
    return proxy.address + urlsplit(calendar.url).path


# -- whose it is --------------------------------------------------------------------------


def test_an_account_is_a_calendar_and_who_writes_to_it(server: Radicale) -> None:
    first, second = server.calendar("mornings"), server.calendar("evenings")

    assert account_of(first.url) == account_of(first.url.rstrip("/"))
    assert len({account_of(url).id for url in (first.url, second.url)}) == 2
    assert "mornings" in account_of(first.url).label
    assert account_of(first.url).id != account_of(first.url, username="ben").id


def test_what_is_no_calendar_for_events_is_refused_before_anything_is_written(
    server: Radicale,
) -> None:
    tasks = server.calendar("tasks", component="VTODO")

    for url in (f"{server.address}/ana/", tasks.url, f"{server.address}/ana/nothing/"):
        with pytest.raises(SinkBroken) as broken:
            account_of(url)
        assert "`url`" in broken.value.hint


def test_a_wrong_password_is_told_without_showing_it(calendar: PersonsCalendar) -> None:
    with pytest.raises(SinkBroken) as broken:
        account_of(calendar.url, password="wrong-password")

    assert "wrong-password" not in str(broken.value) + broken.value.hint


def test_a_user_who_may_only_read_can_preview_but_not_write(connect: Connect) -> None:
    remote = connect(username="reader")

    with pytest.raises(SinkBroken, match="may only read"):
        remote.prepare()
    with pytest.raises(SinkBroken) as broken:
        remote.create(Kind.APPOINTMENT, [item()])
    assert "right to write" in broken.value.hint


def test_a_user_who_may_write_is_prepared_without_a_write(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    remote.prepare()

    assert calendar.events() == []


def test_a_calendar_that_was_deleted_needs_a_person_and_is_not_made_anew(
    remote: CaldavRemote, calendar: PersonsCalendar
) -> None:
    assert send("DELETE", calendar.url).status == 200

    with pytest.raises(SinkBroken) as broken:
        remote.create(Kind.APPOINTMENT, [item()])

    assert "`url`" in broken.value.hint
    assert send("GET", calendar.url).status == 404


def test_a_calendar_that_moved_is_told_with_its_new_address(calendar: PersonsCalendar) -> None:
    with proxied(calendar.url) as proxy:
        proxy.before = lambda _: Told(301, {"Location": "/elsewhere/"})

        with pytest.raises(SinkBroken) as broken:
            account_of(through(proxy, calendar))

        assert f"{proxy.address}/elsewhere/" in broken.value.hint


# -- what servers say ---------------------------------------------------------------------


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_a_server_that_tells_no_usable_entity_tag_is_asked_for_it(
    calendar: PersonsCalendar, tag: str | None
) -> None:
    def untagged(sent: Sent, told: Told) -> Told:
        others = {name: value for name, value in told.headers.items() if name != "ETag"}
        tagged = others if tag is None else {**others, "ETag": tag}
        return replace(told, headers=tagged) if sent.method == "PUT" else told

    with proxied(calendar.url) as proxy:
        proxy.after = untagged
        remote = CaldavRemote(settings_for(through(proxy, calendar)))
        remote.connect(context())

        (created,) = remote.create(Kind.APPOINTMENT, [item()])
        assert isinstance(created, Done)
        changes = Item(created.key, {"summary": "A"}, id=created.id, version=created.version)
        (changed,) = remote.update(Kind.APPOINTMENT, [changes])

        assert isinstance(changed, Done)
        present = remote.read(Kind.APPOINTMENT, [created.id], [])[created.id].version
        assert changed.version == present != created.version
        remote.close()


def test_a_change_that_somebody_made_between_our_look_and_our_write_is_stale(
    calendar: PersonsCalendar,
) -> None:
    with proxied(calendar.url) as proxy:
        remote = CaldavRemote(settings_for(through(proxy, calendar)))
        remote.connect(context())
        (created,) = remote.create(Kind.APPOINTMENT, [item()])
        assert isinstance(created, Done)

        def overtaken(sent: Sent) -> Sent:
            if sent.method == "PUT":
                text = calendar.text(created.id).replace("Haircut", "By hand")
                calendar.put(created.id, text)
            return sent

        proxy.before = overtaken
        ours = Item(created.key, {"summary": "Ours"}, id=created.id, version=created.version)

        assert remote.update(Kind.APPOINTMENT, [ours]) == [Stale(created.key)]
        assert str(calendar.event(created.id)["SUMMARY"]) == "By hand"
        remote.close()


def test_a_create_that_arrived_although_its_answer_did_not_exists_the_next_time(
    calendar: PersonsCalendar,
) -> None:
    with proxied(calendar.url) as proxy:
        remote = CaldavRemote(settings_for(through(proxy, calendar)))
        remote.connect(context())
        proxy.after = lambda _sent, _told: Told(500, {}, b"<h1>Oops</h1>")
        with pytest.raises(SinkUnavailable):
            remote.create(Kind.APPOINTMENT, [item()])
        proxy.pass_on()

        (outcome,) = remote.create(Kind.APPOINTMENT, [item()])

        assert isinstance(outcome, Exists)
        assert len(calendar.events()) == 1
        remote.close()


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (Told(413, {}, b"too large"), "http-413"),
        (
            Told(
                403,
                {"Content-Type": "application/xml"},
                b'<error xmlns="DAV:"><max-resource-size xmlns="urn:ietf:params:xml:ns:caldav"/>'
                b"</error>",
            ),
            "max-resource-size",
        ),
        (Told(412, {}, b"too large, as some servers say it"), "http-412"),
        (
            Told(409, {}, b'<error xmlns="DAV:"><x:no-uid-conflict xmlns:x="c"/></error>'),
            "no-uid-conflict",
        ),
    ],
)
def test_an_event_that_the_server_does_not_take_is_refused_with_the_servers_word(
    calendar: PersonsCalendar, told: Told, code: str
) -> None:
    with proxied(calendar.url) as proxy:
        remote = CaldavRemote(settings_for(through(proxy, calendar)))
        remote.connect(context())
        proxy.before = lambda sent: told if sent.method == "PUT" else sent

        (outcome,) = remote.create(Kind.APPOINTMENT, [item()])

        assert isinstance(outcome, Refused)
        assert outcome.code == code
        remote.close()


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Told(423, {}, b"locked"), SinkUnavailable),
        (Told(507, {}, b"full"), SinkUnavailable),
        (Told(403, {}, b"forbidden"), SinkBroken),
        (Told(403, {}, b'<error xmlns="DAV:"><quota-not-exceeded/></error>'), SinkBroken),
        (Told(405, {}, b"not here"), SinkBroken),
        (Told(409, {}, b"no parent"), SinkBroken),
        (Told(302, {"Location": "/login"}, b""), SinkBroken),
    ],
)
def test_what_concerns_every_event_stops_the_sink(
    calendar: PersonsCalendar, told: Told, error: type[Exception]
) -> None:
    with proxied(calendar.url) as proxy:
        remote = CaldavRemote(settings_for(through(proxy, calendar)))
        remote.connect(context())
        proxy.before = lambda sent: told if sent.method == "PUT" else sent

        with pytest.raises(error):
            remote.create(Kind.APPOINTMENT, [item()])
        remote.close()


@pytest.mark.parametrize("body", [b"", b"<html>", b"<multistatus/>", b"\xff\xfe"])
def test_an_answer_that_is_no_multistatus_is_asked_for_again_later(
    calendar: PersonsCalendar, body: bytes
) -> None:
    with proxied(calendar.url) as proxy:
        proxy.after = lambda _sent, told: replace(told, body=body)

        with pytest.raises(SinkUnavailable):
            account_of(through(proxy, calendar))


def test_a_budget_used_up_in_the_midst_of_a_call_does_not_say_that_nothing_was_sent(
    calendar: PersonsCalendar,
) -> None:
    calls: list[None] = []

    def called() -> None:
        calls.append(None)
        if len(calls) > 2:  # the look at the calendar, and one event
            raise NotSent("used up", retry_after=60.0)

    remote = CaldavRemote(settings_for(calendar.url))
    remote.connect(replace(context(), called=called))

    with pytest.raises(SinkUnavailable) as unavailable:
        remote.create(Kind.APPOINTMENT, [item("main/a_1"), item("main/a_2")])
    assert not isinstance(unavailable.value, NotSent)
    assert unavailable.value.retry_after == 60.0

    with pytest.raises(NotSent):
        remote.create(Kind.APPOINTMENT, [item("main/a_2")])
    remote.close()


# -- the settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "dav.example.org/ana/"}, "absolute address"),
        ({"url": "https://ana:secret@dav.example.org/ana/"}, "use `username`"),
        ({"url": "https://dav.example.org/ana/?x=1"}, "no query"),
        ({"url": "http://dav.example.org/ana/"}, "allow_plain_http"),
        ({"token": "t"}, "either `token`"),
        ({"username": None}, "both `username` and `password`"),
        ({"username": None, "password": None}, "or `token`"),
        ({"appointment": {"fields": {"sumary": "notes"}}}, "no field 'sumary'"),
        ({"appointment": {"fields": {"X-Source": "notes"}}}, "no field 'X-Source'"),
        ({"contact": {"fields": {"name": "contact_name"}}}, "no contacts"),
        ({"appointment": {"fields": {"attendee": "contact_email"}}}, "`organizer`"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_remedy(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as invalid:
        settings_for(**{"url": "https://dav.example.org/ana/", **settings})

    assert words in str(invalid.value)


def test_a_token_signs_in_where_a_server_takes_one(calendar: PersonsCalendar) -> None:
    seen: list[str] = []

    def noted(sent: Sent) -> Sent:
        seen.append(sent.headers["Authorization"])
        return sent

    with proxied(calendar.url) as proxy:
        proxy.before = noted
        signs_in = {"username": None, "password": None, "token": "abc"}
        with pytest.raises(SinkBroken):  # Radicale takes none
            account_of(through(proxy, calendar), **signs_in)

    assert seen == ["Bearer abc"]
