"""Prices: one field of the source, two columns."""

from collections.abc import Sequence
from typing import Any

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize import values
from zimun_sync.normalize.batches import Failures, Values, take


def split_prices(
    contents: Sequence[dict[str, Any]], names: Sequence[str], failures: Failures
) -> dict[str, Values]:
    """Take the prices of records out of their content; what else a price has stays there.

    Args:
        contents: decoded records.
        names: of the price's field.
        failures: told of prices that are refused.
    """
    name = names[0]
    amount_field, currency_field = f"{name}.amount", f"{name}.currency"
    amounts: Values = [None] * len(contents)
    currencies: Values = [None] * len(contents)
    for position, price in enumerate(take(contents, names)):
        if price is None:
            continue
        try:
            if type(price) is not dict:
                raise values.wrong_type(name, price, "an object with amount and currency")
            amounts[position] = values.amount(price.pop("amount", None), amount_field)
            currencies[position] = values.text(price.pop("currency", None), currency_field)
        except RecordInvalid as error:
            failures.setdefault(position, error)
            continue
        if price:
            contents[position][name] = price
    return {"price_amount": amounts, "price_currency": currencies}
