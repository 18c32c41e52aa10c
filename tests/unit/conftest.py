"""Records as the Zimun API gives them, and what the normalizer makes of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import STREAMS, to_python
from zimun_sync.normalize import Normalized, Normalizer, Places, Rules, unpack_row

#: The fields without which no record of a stream is taken.
_LEAST: dict[str, dict[str, Any]] = {
    "appointments": {"appointment_id": "a_1", "appointment_time": "2026-06-01T09:45:00-05:00"},
    "services": {"service_id": "s_1"},
    "staff": {"staff_id": "t_1"},
    "resources": {"resource_id": "r_1"},
    "locations": {"location_id": "l_1"},
    "organization": {"organization_id": "o_1"},
    "holidays": {"holiday_id": "l_1@2026-06-01", "date": "2026-06-01"},
    "availability": {
        "availability_id": "s_1@l_1@t_1@2026-06-01",
        "date": "2026-06-01",
        "slots": [],
    },
}


@dataclass(frozen=True)
class Bench:
    """A normalizer of one stream with its rules and places, to try records on.

    Args:
        stream: the stream's name.
        rules: the user's words on the source's fields.
        places: time zones and regions.
    """

    stream: str = "appointments"
    rules: Rules = field(default_factory=lambda: Rules({}, {}))
    places: Places = field(default_factory=Places)

    @property
    def normalizer(self) -> Normalizer:
        return Normalizer(STREAMS[self.stream], self.rules, self.places)

    def record(self, **fields: Any) -> bytes:
        """A record's JSON: the least there must be, and `fields`."""
        return json.dumps(_LEAST[self.stream] | fields).encode()

    def normalize(self, **fields: Any) -> Normalized:
        return self.normalizer.normalize(self.record(**fields))

    def row(self, raw: bytes | None = None, **fields: Any) -> Mapping[str, Any]:
        """The normalized row by column, as the Python values a connector sees."""
        content = STREAMS[self.stream].content
        packed = self.normalizer.normalize(raw or self.record(**fields)).row
        return {
            column.name: to_python(value, column.type)
            for column, value in zip(content, unpack_row(packed), strict=True)
        }

    def refusal(self, raw: bytes | None = None, **fields: Any) -> tuple[str, str]:
        """Code and message of a record that is refused."""
        with pytest.raises(RecordInvalid) as caught:
            self.normalizer.normalize(raw or self.record(**fields))
        return caught.value.code, caught.value.message


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    return Bench
