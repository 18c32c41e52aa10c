"""Checksums of what the sandbox lists, told from its bytes alone: the truth for tests."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from zimun_sync.sandbox.world.facts import WellFormed


def checksums(items: Iterable[bytes]) -> dict[str, Any]:
    """Adds up appointments.

    Args:
        items: encoded records, one for each identifier.

    Returns:
        `count` of well-formed ones, sum of their `durations` in minutes, exact sum of `prices`
        by currency as decimal strings, sum of their `instants` (starts in whole seconds since
        the epoch), and the count of `malformed` ones.
    """
    decoder = msgspec.json.Decoder(WellFormed)
    count = durations = instants = malformed = 0
    prices: defaultdict[str, Decimal] = defaultdict(Decimal)
    for item in items:
        try:
            record = decoder.decode(item)
        except msgspec.ValidationError:
            malformed += 1
            continue
        count += 1
        durations += record.appointment_duration or 0
        instants += int(record.appointment_time.timestamp())
        if record.price is not None:
            prices[record.price.currency] += record.price.amount
    return {
        "count": count,
        "durations": durations,
        "prices": {currency: str(amount) for currency, amount in sorted(prices.items())},
        "instants": instants,
        "malformed": malformed,
    }
