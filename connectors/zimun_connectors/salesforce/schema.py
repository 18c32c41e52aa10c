"""Whether the organization has the fields that are written, and whether we may write them."""

from collections.abc import Mapping
from typing import Any, Final

from zimun_connectors.salesforce.failures import FIELD_HINT
from zimun_connectors.salesforce.fields import Table
from zimun_connectors.salesforce.org import Org
from zimun_sync.errors import SinkBroken

_KEY_HINT: Final = (
    "In Setup, edit the field: External ID, and Unique (do not allow duplicate values), case "
    "sensitive. Without that a repeated write could double a record."
)


def check_table(org: Org, table: Table) -> None:
    """Look whether records of a table can be written as they have to be.

    Raises:
        SinkBroken: a field or a right is missing; names it.
        SinkUnavailable: not now.
    """
    path = f"sobjects/{table.name}/describe"
    described = org.read("GET", path, f"describing {table.name}").json()
    if not (described["createable"] and described["updateable"]):
        raise SinkBroken(
            f"The sink's Salesforce user may not create and edit {table.name} records.",
            hint="Give its permission set Read, Create and Edit on Contact, and Access Activities "
            "and Edit Events; see docs/connectors/salesforce.md.",
        )
    present = {field["name"].lower(): field for field in described["fields"]}
    _check_fields(table, present)
    key = present[table.key_field.lower()]
    if not (key["externalId"] and key["unique"]):
        raise SinkBroken(
            f"The field {table.name}.{table.key_field} is not unique or not an external id.",
            hint=_KEY_HINT,
        )


def _check_fields(table: Table, present: Mapping[str, Any]) -> None:
    missing = [name for name in table.written if name.lower() not in present]
    fixed = [
        name
        for name in table.written
        if name not in missing and not _is_written(present[name.lower()])
    ]
    if missing or fixed:
        words = [f"has no field {name} that its user can see" for name in missing]
        words += [f"lets its user not write the field {name}" for name in fixed]
        raise SinkBroken(f"Salesforce's {table.name} {', '.join(words)}.", hint=FIELD_HINT)


def _is_written(field: Mapping[str, Any]) -> bool:
    return bool(field["createable"] or field["updateable"])
