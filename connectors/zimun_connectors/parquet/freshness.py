"""`freshness.parquet`: what the engine shows of the last pull, replaced as a whole.

It stands beside the versions, so that a pull that changed nothing makes no version. One file with
a fixed name is safe because it is small: a reader takes it in one opening (docs/adr/0006).
"""

from collections.abc import Sequence

import pyarrow.parquet as pq

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import replacing
from zimun_connectors.parquet.layout import Layout
from zimun_sync.freshness import Freshness
from zimun_sync.tables import freshness_table


def show(layout: Layout, access: PublishSettings, rows: Sequence[Freshness]) -> None:
    """Put these rows in place of all others."""
    with replacing(layout.freshness, access) as file:
        pq.write_table(freshness_table(rows), file)
