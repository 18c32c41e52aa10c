"""`freshness.csv`: what the engine shows of the last pull, replaced as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import replacing
from zimun_connectors.csv.canonical import spell
from zimun_connectors.csv.format import Format
from zimun_sync.freshness import COLUMNS, TABLE, Freshness
from zimun_sync.model import to_micros

FILE = f"{TABLE}.csv"


def show(
    folder: Path, spelling: Format, access: PublishSettings, rows: Sequence[Freshness]
) -> None:
    """Put these rows in place of all others.

    The instants are UTC and say so in every spelling: a source has no wall clock.
    """
    spelling = replace(spelling, wall_clock=False)
    with replacing(folder / FILE, access) as file:
        file.write(spelling.header([column.name for column in COLUMNS]))
        if rows:
            file.writelines(_lines(spelling, rows))


def _lines(spelling: Format, rows: Sequence[Freshness]) -> Iterator[bytes | memoryview]:
    columns = zip(*(map(_stored, row.values) for row in rows), strict=True)
    lines = spell(COLUMNS, list(columns))
    if spelling.is_canonical:
        yield from lines
        return
    from zimun_connectors.csv.respelling import respelled
    from zimun_connectors.csv.zones import Zones

    yield from respelled(lines, COLUMNS, spelling, Zones())


def _stored(value: Any) -> Any:
    """The value as the store would have it."""
    return to_micros(value) if isinstance(value, datetime) else value
