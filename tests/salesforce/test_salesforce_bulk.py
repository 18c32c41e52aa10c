"""Thousands of records by bulk jobs: one job, found again, and a verdict on every record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.salesforce.conftest import START, Clock, Make, contact, event
from tests.salesforce.fake import FakeSalesforce, Fault
from tests.salesforce.schema import CONTACT, EVENT, Column
from zimun_connectors.salesforce import SalesforceRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    Done,
    Gone,
    Item,
    Kind,
    NotSent,
    Outcome,
    Refused,
    RemoteContext,
)

ABOVE = 200


@pytest.fixture
def remote(make: Make, context: RemoteContext) -> SalesforceRemote:
    """One that goes by bulk jobs early, so that tests stay small."""
    remote = make(bulk_above=ABOVE)
    remote.connect(context)
    return remote


def events(number: int = ABOVE + 1) -> list[Item]:
    return [event(f"main/a{each}", Description=f'"{each}",\nline') for each in range(number)]


def written(
    remote: SalesforceRemote, context: RemoteContext, act: Any, items: list[Item], most: int = 9
) -> dict[str, Outcome]:
    """What comes of it when the same items come again and again, as the engine has it."""
    for _ in range(most):
        try:
            remote.connect(context)
            return {outcome.key: outcome for outcome in act(items)}
        except NotSent:
            pytest.fail("something was sent, or is under way")
        except SinkUnavailable:
            remote.close()
    pytest.fail(f"not over after {most} attempts")


def create(remote: SalesforceRemote) -> Any:
    return lambda items: remote.create(Kind.APPOINTMENT, items)


def test_a_backlog_goes_by_one_job_that_is_found_again(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.api.polls = 3
    items = events()
    outcomes = written(remote, context, create(remote), items)
    assert fake.calls["jobs/create"] == 1
    assert fake.calls["Event/upsert"] == 0
    assert fake.calls["jobs/state"] == 4
    for number, item in enumerate(items):
        outcome = outcomes[item.key]
        assert isinstance(outcome, Done)
        record = fake.org.get(outcome.id)
        assert record is not None
        assert record.values["Description"] == f'"{number}",\nline'
    assert fake.calls["jobs/failedResults"] == fake.calls["jobs/unprocessedrecords"] == 1


def test_while_a_job_is_under_way_nothing_else_is_asked(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.api.polls = 2
    with pytest.raises(SinkUnavailable, match="bulk job") as raised:
        remote.create(Kind.APPOINTMENT, events())
    assert raised.value.retry_after == 20
    before = fake.calls.total()
    with pytest.raises(SinkUnavailable, match="bulk job"):
        remote.connect(context)
    assert fake.calls.total() - before == 1


def test_a_few_records_do_not_go_by_a_job(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    assert len(remote.create(Kind.APPOINTMENT, events(ABOVE))) == ABOVE
    assert fake.calls["jobs/create"] == 0


def test_failed_rows_are_refused_in_their_words_and_all_others_written(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.org.refused["nobody"] = "Ask the front desk: first."
    items = events()
    items[5] = event("main/a5", Subject="nobody")
    items[9] = Item("main/a9", {"Subject": "no time"})
    outcomes = written(remote, context, create(remote), items)
    refused = {key: each for key, each in outcomes.items() if isinstance(each, Refused)}
    assert refused.keys() == {"main/a5", "main/a9"}
    assert refused["main/a5"].message == "Ask the front desk: first."
    assert refused["main/a9"].code == "field-integrity-exception"
    assert len(fake.org.live(EVENT)) == len(items) - 2


def test_rows_that_a_job_leaves_undone_are_written_by_collections(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.api.job_ends_after = 120
    outcomes = written(remote, context, create(remote), events())
    assert all(isinstance(outcome, Done) for outcome in outcomes.values())
    assert fake.calls["jobs/create"] == 1
    assert fake.calls["Event/upsert"] == 1
    assert len(fake.org.live(EVENT)) == ABOVE + 1


def test_locked_rows_come_again_until_they_are_free(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    items = events()
    made = written(remote, context, create(remote), items)
    changes = [replace(item, fields={"Subject": "x"}, id=_id(made[item.key])) for item in items]
    fake.org.locked.add(str(changes[3].id))

    def update(some: list[Item]) -> Any:
        if fake.calls["Event/update"] == 1:
            fake.org.locked.clear()
        return remote.update(Kind.APPOINTMENT, some)

    outcomes = written(remote, context, update, changes)
    assert all(isinstance(outcome, Done) for outcome in outcomes.values())
    assert {record.values["Subject"] for record in fake.org.live(EVENT)} == {"x"}


def test_updates_in_bulk_clear_and_leave_alone_what_they_should(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    items = events()
    made = written(remote, context, create(remote), items)
    changes = [
        Item(
            item.key, {"Subject": "x"} if place % 2 else {"Description": None}, _id(made[item.key])
        )
        for place, item in enumerate(items)
    ]
    gone = changes[7]
    fake.org.delete_by_hand(str(gone.id))
    outcomes = written(remote, context, lambda some: remote.update(Kind.APPOINTMENT, some), changes)
    assert outcomes[gone.key] == Gone(gone.key)
    for place, change in enumerate(changes):
        record = fake.org.get(change.id)
        assert record is not None
        if change is gone:
            continue
        kept = record.values["Subject"], record.values["Description"]
        assert kept == (("x", f'"{place}",\nline') if place % 2 else ("Cut", None))
    assert fake.calls["Event/update"] == 0


def test_a_process_that_forgot_its_job_doubles_nothing(
    remote: SalesforceRemote, make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    items = events()
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, items)
    another = make(bulk_above=ABOVE)
    outcomes = written(another, context, create(another), items)
    assert all(isinstance(outcome, Done) for outcome in outcomes.values())
    assert len(fake.org.live(EVENT)) == len(items)


def test_records_that_changed_meanwhile_are_written_as_they_are_now(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    items = events()
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, items)
    items[4] = replace(items[4], fields={**items[4].fields, "Subject": "Colour"})
    written(remote, context, create(remote), [*items, event("main/late")])
    subjects = {r.values["Zimun_Key__c"]: r.values["Subject"] for r in fake.org.live(EVENT)}
    assert len(subjects) == len(items) + 1
    assert subjects["main/a4"] == "Colour"
    assert fake.calls["jobs/create"] == 1


def test_a_result_is_not_held_against_records_of_a_later_day(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce, clock: Clock
) -> None:
    fake.api.polls = 0
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, events())
    remote.connect(context)  # its results are fetched, but nobody asks for them
    for record in list(fake.org.live(EVENT)):
        fake.org.delete_by_hand(record.id)
    clock.time += timedelta(hours=2)
    written(remote, context, create(remote), events())
    assert len(fake.org.live(EVENT)) == ABOVE + 1


@pytest.mark.parametrize("call", ["jobs/create", "jobs/upload", "jobs/close", "jobs/state"])
@pytest.mark.parametrize("commits", [False, True])
def test_a_job_that_is_interrupted_anywhere_is_brought_to_an_end(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce, call: str, commits: bool
) -> None:
    fake.fail(Fault(call, 503, commits=commits))
    outcomes = written(remote, context, create(remote), events())
    assert all(isinstance(outcome, Done) for outcome in outcomes.values())
    assert len(fake.org.live(EVENT)) == ABOVE + 1
    assert sum(bool(job.done) for job in fake.api.jobs.values()) == 1


def test_a_job_that_somebody_removed_is_made_again(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, events())
    fake.api.jobs.clear()
    written(remote, context, create(remote), events())
    assert len(fake.org.live(EVENT)) == ABOVE + 1


def test_a_field_that_a_job_does_not_know_is_named_and_the_next_job_goes_well(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.api.polls = 0
    description = fake.org.tables[EVENT].pop("Description")
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, events())
    with pytest.raises(SinkBroken, match="Description"):
        remote.connect(context)
    fake.org.tables[EVENT]["Description"] = description
    written(remote, context, create(remote), events())
    assert len(fake.org.live(EVENT)) == ABOVE + 1


def test_a_field_without_rights_is_named_by_a_job_too(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.api.polls = 0
    fake.org.tables[EVENT]["Description"] = Column(writable=False)
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, events())
    with pytest.raises(SinkBroken, match="Description"):
        remote.connect(context)


def test_a_text_that_csv_cannot_say_goes_by_collections(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    items = [*events(), event("main/na", Subject="#N/A")]
    remote.create(Kind.APPOINTMENT, items)
    assert fake.calls["jobs/create"] == 0
    assert "#N/A" in {record.values["Subject"] for record in fake.org.live(EVENT)}


def test_contacts_whose_duplicates_may_pass_go_by_collections(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    remote = make(bulk_above=ABOVE, allow_duplicates=True)
    remote.connect(context)
    items = [contact(f"email:c{number}@example.com") for number in range(ABOVE + 1)]
    assert len(remote.create(Kind.CONTACT, items)) == len(items)
    assert fake.calls["jobs/create"] == 0


def test_contacts_go_by_a_job_and_their_duplicates_are_refused(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.org.duplicate_rule = "alert"
    fake.org.add(CONTACT, LastName="Ruiz", Email="c7@example.com")
    items = [contact(f"email:c{number}@example.com") for number in range(ABOVE + 1)]
    outcomes = written(remote, context, lambda some: remote.create(Kind.CONTACT, some), items)
    refused = outcomes["email:c7@example.com"]
    assert isinstance(refused, Refused)
    assert refused.code == "duplicates-detected"
    assert fake.calls["jobs/create"] == 1


def test_moving_many_events_reads_their_lengths_once_a_batch(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    items = events()
    made = written(remote, context, create(remote), items)
    later = START + timedelta(days=1)
    moved = [Item(item.key, {"StartDateTime": later}, _id(made[item.key])) for item in items]
    with pytest.raises(SinkUnavailable):
        remote.update(Kind.APPOINTMENT, moved)
    assert fake.calls["Event/read"] == 1
    written(remote, context, lambda some: remote.update(Kind.APPOINTMENT, some), moved)
    assert {record.values["DurationInMinutes"] for record in fake.org.live(EVENT)} == {30}
    assert len({record.values["StartDateTime"] for record in fake.org.live(EVENT)}) == 1


def _id(outcome: Outcome) -> str:
    assert isinstance(outcome, Done)
    return outcome.id
