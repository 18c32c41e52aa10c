"""`freshness.csv`: what the engine shows of the last pull, replaced as a whole."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import replacing
from zimun_connectors.csv.format import Format
from zimun_connectors.csv.rows import lines, payload
from zimun_connectors.csv.zones import Zones
from zimun_sync.freshness import COLUMNS, TABLE, Freshness
from zimun_sync.tables import freshness_table

FILE = f"{TABLE}.csv"


def show(
    folder: Path, spelling: Format, access: PublishSettings, rows: Sequence[Freshness]
) -> None:
    """Put these rows in place of all others.

    The instants are UTC and say so in every spelling: a source has no wall clock.
    """
    spelling = replace(spelling, wall_clock=False)
    table = freshness_table(rows).combine_chunks()
    with replacing(folder / FILE, access) as file:
        file.write(spelling.header([column.name for column in COLUMNS]))
        for batch in table.to_batches():
            file.write(payload(lines(batch, COLUMNS, spelling, Zones())))
