"""dlt as fast as we could make it, with the same upserts.

Pages are yielded as Arrow tables, which dlt passes on as Parquet files without looking at each
record, and DuckDB reads those files itself. Twice the CPU: pages as lists of dictionaries, with
one or two normalizing processes. No gain: other sizes of tables and files, more loading threads,
other strategies of merging.
"""

from collections.abc import Iterator
from typing import Any, Final

import dlt
import pyarrow as pa

from peers.rows import COLUMNS, table
from peers.zimun import Job, pages

#: Records in an Arrow table: dlt's own work is per table.
BATCH: Final = 20_000
TYPES: Final = {"TIMESTAMPTZ": pa.timestamp("us", "UTC"), "DECIMAL(18, 4)": pa.decimal128(18, 4)}


def typed(items: list[dict[str, Any]]) -> pa.Table:
    """The records with times and prices in their own types."""
    found = table(items)
    columns = [
        found[name].cast(TYPES[kind]) if kind in TYPES else found[name]
        for name, kind in COLUMNS.items()
    ]
    return pa.table(columns, names=list(COLUMNS))


@dlt.resource(
    name="appointments",
    primary_key="appointment_id",
    write_disposition={"disposition": "merge", "strategy": "upsert"},
    parallelized=True,
)
def appointments(job: Job) -> Iterator[Any]:
    """The source's pages, many in one table."""
    waiting: list[dict[str, Any]] = []
    for items in pages(job):
        waiting += items
        if len(waiting) >= BATCH:
            yield typed(waiting)
            waiting.clear()
    if waiting:
        yield typed(waiting)


def main() -> None:
    """Load the appointments."""
    job = Job.told()
    pipeline = dlt.pipeline(
        pipeline_name="arrow",
        pipelines_dir=f"{job.database}.dlt",
        destination=dlt.destinations.duckdb(job.database),
        dataset_name="bench",
    )
    pipeline.run(appointments(job), loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
