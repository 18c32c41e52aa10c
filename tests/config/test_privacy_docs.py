"""`docs/privacy.md` says what is so: its example, and what policies make of values."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from zimun_sync.config import Config
from zimun_sync.model import APPOINTMENTS, STREAMS
from zimun_sync.privacy import Guard, HashKey, Policies, Policy
from zimun_sync.sinks import Batch, StoredChange
from zimun_sync.testing.builders import make_row

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VALUES = re.findall(r"^\| `(\w+)` \| `(.+?)` \| `(.+?)` \| `(.+?)`", PAGE, re.MULTILINE)
KEY = HashKey("1", b"0123456789abcdef")
SECRETS = {
    "ZIMUN_HASH_KEY": "0123456789abcdef",
    "ZIMUN_CLIENT_ID": "id",
    "ZIMUN_CLIENT_SECRET": "secret",
}


def test_the_example_hides_what_the_page_says(configured: Callable[..., Config]) -> None:
    guards = configured(EXAMPLE, SECRETS).guards
    assert guards["office"].hidden == {}
    hidden = guards["analytics"].hidden
    assert hidden["appointments"] == {
        "contact_name": "drop",
        "contact_email": "hash",
        "contact_phone": "hash",
        "notes": "drop",
        "price_amount": "drop",
        "extra": "drop",
    }
    assert hidden["staff"] == dict.fromkeys(("email", "phone", "extra"), "drop")


def test_the_page_names_every_personal_column() -> None:
    named = PAGE[PAGE.index("`personal` is for") : PAGE.index("| policy |")]
    for stream in STREAMS.values():
        for column in stream.content:
            assert not column.personal or f"`{column.name}`" in named


@pytest.mark.parametrize(("column", "value", "masked", "hashed"), VALUES)
def test_the_table_of_values(column: str, value: str, masked: str, hashed: str) -> None:
    assert shown(Policy.MASK, column, value) == masked
    pattern = re.escape(hashed).replace("…", "[0-9a-f]+")
    assert re.fullmatch(pattern, shown(Policy.HASH, column, value))


def shown(policy: Policy, column: str, value: str) -> str:
    guard = Guard(Policies(Policy.ALLOW, {APPOINTMENTS.name: {column: policy}}), KEY)
    row = make_row(APPOINTMENTS, "a", **{column: value})
    batch = Batch("main", APPOINTMENTS, [StoredChange(1, "a", row, "", "run", 0)])
    [change] = guard.batch(batch).changes
    assert change.row is not None
    return str(change.row[column])
