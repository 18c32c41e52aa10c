"""The small worlds that the views are asked about: one made by hand, the others at random."""

import random
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from tests.marts.small_world import NEW_YORK, Booking, Offer, SmallWorld, State, utc


def booking(key: str, *states: State, **more: Any) -> Booking:
    created = more.pop("created", utc("2026-10-01 22:30"))
    return Booking(key, states, created, **more)


def in_york(key: str, *states: State, **more: Any) -> Booking:
    return booking(key, *states, location="l_york", zone=NEW_YORK, offset=-300, **more)


SEEN = utc("2026-09-01 08:00")
ONE, TWO = utc("2026-10-20 08:00"), utc("2026-10-21 08:00")

BOOKINGS = (
    # Both halves of the hour that Berlin has twice, and of the one that New York has twice.
    booking("b_dst_1", State(SEEN, utc("2026-10-25 00:30")), email="ada@example.org"),
    booking("b_dst_2", State(SEEN, utc("2026-10-25 01:30")), email=" Ada@Example.ORG"),
    in_york("b_dst_3", State(SEEN, utc("2026-11-01 05:30")), email="ada@example.org"),
    in_york("b_dst_4", State(SEEN, utc("2026-11-01 06:30")), phone="+4930111"),
    # Just before and after the hour that is missing in spring, booked late in the evening.
    booking("b_gap_1", State(SEEN, utc("2027-03-28 00:59")), created=utc("2027-03-27 23:30")),
    booking("b_gap_2", State(SEEN, utc("2027-03-28 01:01")), created=utc("2027-03-28 22:30")),
    in_york("b_gap_3", State(SEEN, utc("2027-03-14 07:01")), created=utc("2027-03-14 03:30")),
    # Moved twice, once with another change in between; moved and back.
    booking(
        "b_moved",
        State(SEEN, ONE),
        State(SEEN + timedelta(days=1), TWO),
        State(SEEN + timedelta(days=2), TWO, "scheduled"),
        State(SEEN + timedelta(days=3), TWO + timedelta(hours=2)),
        phone="+4930111",
        email="ada@example.org",
        learnt_by="webhook",
    ),
    booking(
        "b_back",
        State(SEEN, ONE),
        State(SEEN + timedelta(hours=1), TWO),
        State(SEEN + timedelta(hours=1), TWO + timedelta(hours=1)),
        State(SEEN + timedelta(hours=2), ONE),
        phone="+4930222",
        email="bo@example.org",
    ),
    # Cancelled: known from its history, as it was found, without a time, again, and after it.
    booking(
        "b_off_1",
        State(SEEN, ONE),
        State(ONE - timedelta(hours=5), ONE, "cancelled"),
        State(ONE - timedelta(hours=4), ONE + timedelta(days=1), "cancelled"),
        phone="+4930222",
    ),
    booking("b_off_2", State(ONE - timedelta(days=2), ONE, "cancelled"), email="bo@example.org"),
    booking("b_off_3", State(SEEN, ONE, "cancelled"), dated=False, price=None),
    booking(
        "b_off_4",
        State(SEEN, TWO, "cancelled"),
        State(SEEN + timedelta(days=1), TWO),
        State(TWO + timedelta(minutes=7, seconds=30), TWO, "cancelled"),
        phone="+4930333",
    ),
    # Cancelled and back again; gone from the source; gone and back.
    booking(
        "b_on",
        State(SEEN, TWO),
        State(SEEN + timedelta(days=1), TWO, "cancelled"),
        State(SEEN + timedelta(days=2), TWO, "completed"),
        phone="+4930333",
        price="19.9999",
    ),
    booking("b_gone", State(SEEN, TWO), State(SEEN + timedelta(days=1), TWO, deleted=True)),
    booking(
        "b_again",
        State(SEEN, TWO),
        State(SEEN + timedelta(days=1), TWO, deleted=True),
        State(SEEN + timedelta(days=9), TWO + timedelta(hours=3)),
        email="cy@example.org",
    ),
    # One phone of two people; a phone of nobody's e-mail; nobody at all.
    booking("b_two_1", State(SEEN, ONE), phone="+4930444", email="dee@example.org", name="Dee"),
    booking("b_two_2", State(SEEN, TWO), phone="+4930444", email="eve@example.org", name="Eve"),
    booking("b_two_3", State(SEEN, TWO, "no_show"), phone="+4930444", name="Who"),
    booking("b_phone", State(SEEN, TWO), phone="+4930555", currency="CHF"),
    booking("b_nobody", State(SEEN, TWO), phone="", email="  "),
    # What a source may leave out.
    booking("b_bare", State(SEEN, TWO), created=None, minutes=None, price=None, staff=None),
    booking("b_room", State(SEEN, TWO), staff=None, resource="r_1", service=None),
    booking("b_nozone", State(SEEN, TWO), zone=None, offset=330, created=utc("2026-09-30 18:29")),
    booking("b_odd", State(SEEN, TWO), zone="Nowhere/Land", offset=345),
    booking("b_anyone", State(SEEN, TWO), staff=None),
    # The same identifiers, e-mails and phones in another source mean other things.
    booking("b_moved", State(SEEN, ONE, "completed"), source="second", phone="+4930111"),
    booking("b_two_1", State(SEEN, ONE), source="second", phone="+4930444", email="x@example.org"),
    booking("b_two_2", State(SEEN, TWO), source="second", phone="+4930444"),
)


def slots(*starts: str, minutes: int = 45) -> tuple[tuple[datetime, datetime], ...]:
    return tuple((utc(text), utc(text) + timedelta(minutes=minutes)) for text in starts)


DAY, NEXT = ONE.date(), TWO.date()
OFFERS = (
    # Two services of one person, seen before and after the day's appointments moved away.
    Offer(DAY, SEEN + timedelta(hours=12), slots("2026-10-20 06:30", "2026-10-20 07:00")),
    Offer(DAY, SEEN + timedelta(days=3), slots("2026-10-20 08:30"), service="s_color"),
    # Seen at the very instant of a change.
    Offer(NEXT, SEEN + timedelta(days=1), slots("2026-10-21 15:00")),
    Offer(NEXT, SEEN + timedelta(days=5), slots("2026-10-21 07:50"), staff=None),
    # The night that is an hour longer; a day off; days of another place and source.
    Offer(date(2026, 10, 25), SEEN, slots("2026-10-24 23:00", "2026-10-25 00:45", minutes=90)),
    Offer(date(2026, 12, 24), SEEN, ()),
    Offer(date(2026, 11, 1), SEEN, slots("2026-11-01 04:30", minutes=180), location="l_york"),
    Offer(DAY, SEEN + timedelta(days=1), slots("2026-10-20 06:30"), source="second"),
)
HAND_MADE = SmallWorld(BOOKINGS, OFFERS, holidays=[("l_berlin", date(2026, 10, 3))])


def _random_world(seed: int) -> SmallWorld:
    """Bookings that clash, move and change hands, and offers seen in between."""
    dice = random.Random(seed)
    return SmallWorld(
        [_random_booking(dice, number) for number in range(80)],
        [offer for day in range(5) for offer in _random_offers(dice, day)],
    )


def _random_booking(dice: random.Random, number: int) -> Booking:
    make = dice.choice((booking, in_york))
    since = SEEN
    states: list[State] = []
    for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
        since += timedelta(hours=dice.choice((0, 1, 30)))
        starts = ONE + timedelta(days=dice.randrange(5), minutes=15 * dice.randrange(30))
        status = dice.choice(("confirmed", "held", "cancelled", "no_show", "completed", "other"))
        gone = bool(states) and dice.random() < 0.1
        states.append(State(since, starts, status, deleted=gone))
    return make(
        f"a_{number}",
        *states,
        source=dice.choice(("main", "second")),
        staff=dice.choice(("st_ana", "st_ben", None)),
        minutes=dice.choice((15, 30, 60, None)),
        email=dice.choice((None, None, "p@example.org", "Q@example.org", "r@example.org ")),
        phone=dice.choice((None, "+491", "+492", "+493")),
        price=dice.choice((None, "0.0001", "12.50")),
        created=SEEN - timedelta(minutes=dice.randrange(100_000)),
    )


def _random_offers(dice: random.Random, day: int) -> Iterable[Offer]:
    for service in ("s_cut", "s_color"):
        starts = sorted({8 * 60 + 15 * dice.randrange(20) for _ in range(4)})
        first = ONE.replace(hour=0) + timedelta(days=day)
        slots = [first + timedelta(minutes=start) for start in starts]
        yield Offer(
            first.date(),
            SEEN + timedelta(hours=dice.randrange(60)),
            tuple((start, start + timedelta(minutes=40)) for start in slots),
            service=service,
            staff=dice.choice(("st_ana", "st_ben", None)),
        )


WORLDS = {
    "hand-made": HAND_MADE,
    "empty": SmallWorld(locations=()),
    **{f"random-{seed}": _random_world(seed) for seed in range(3)},
}
