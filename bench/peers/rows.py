"""A page as a flat Arrow table: what the peers that use Arrow make of the source's records."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

#: Each column with its type in DuckDB; all but minutes arrive as text.
COLUMNS: Final = {
    "appointment_id": "VARCHAR",
    "organization_id": "VARCHAR",
    "location_id": "VARCHAR",
    "service_id": "VARCHAR",
    "staff_id": "VARCHAR",
    "resource_id": "VARCHAR",
    "appointment_time": "TIMESTAMPTZ",
    "appointment_duration": "BIGINT",
    "status": "VARCHAR",
    "contact_name": "VARCHAR",
    "contact_email": "VARCHAR",
    "contact_phone": "VARCHAR",
    "notes": "VARCHAR",
    "price_amount": "DECIMAL(18, 4)",
    "price_currency": "VARCHAR",
    "created_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "booking_code": "VARCHAR",
    "attendance": "VARCHAR",
    "rsvp": "VARCHAR",
}
_NO_PRICE: Final[dict[str, Any]] = {}


def table(items: Sequence[dict[str, Any]]) -> pa.Table:
    """The records' columns, times and prices as text; 'price' is taken apart."""
    prices = [item["price"] or _NO_PRICE for item in items]
    columns = {name: [item.get(name) for item in items] for name in COLUMNS}
    columns["price_amount"] = [price.get("amount") for price in prices]
    columns["price_currency"] = [price.get("currency") for price in prices]
    types = {"BIGINT": pa.int64()}
    return pa.table(
        {
            name: pa.array(columns[name], types.get(kind, pa.string()))
            for name, kind in COLUMNS.items()
        }
    )
