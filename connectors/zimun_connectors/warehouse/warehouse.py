"""The dataset as the sink sees it: made ready, loaded into, read; all of dlt is behind this."""

import inspect
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dlt
import pyarrow as pa
from dlt.common.destination import Destination
from dlt.common.schema.typing import TColumnSchema

from zimun_connectors.warehouse.claim import Claim
from zimun_connectors.warehouse.config import NOT_WAREHOUSES, WarehouseSettings, revealed
from zimun_connectors.warehouse.memory import Held
from zimun_connectors.warehouse.sql import SqlTables, Tables
from zimun_connectors.warehouse.tables import ALL, CLAIM, NAME, columns, schema
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Stream
from zimun_sync.sinks import Erasure

#: dlt would load CSV where it may, which cannot tell an empty text from none.
_FORMATS: Final = ("parquet", "insert_values")


class Warehouse:
    """One destination and dataset.

    Nothing that dlt keeps in its folder outlives an object of this class: a load that was cut
    off is dropped there, and its changes come again from the engine.

    Args:
        settings: the sink's.
        local: the file or folder of a warehouse on this machine.
        folder: for files on their way; emptied first.

    Raises:
        SinkBroken: the destination cannot replace rows by key, or an option is unknown.
    """

    def __init__(self, settings: WarehouseSettings, local: Path | None, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self.close()
        destination = _destination(settings, local)
        self._hints = _merging(settings, destination)
        self._formats = _file_formats(settings, destination)
        self._pipeline = dlt.pipeline(
            NAME,
            pipelines_dir=str(folder),
            destination=destination,
            staging=_staging(settings),
            dataset_name=settings.dataset,
        )
        self._pipeline.schemas.save_schema(dlt.Schema(NAME))
        self._schemas: dict[Stream, dlt.Schema] = {}
        self._tables = _tables(settings, self._pipeline)

    def close(self) -> None:
        """Remove what dlt keeps; idempotent."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    # -- reading -------------------------------------------------------------------------

    def claim(self) -> Claim | None:
        """Whose the dataset is; None where it is nobody's yet."""
        return self._tables.claim()

    def held(self, stream: Stream, source: str | None = None) -> Iterator[Sequence[Held]]:
        """The stream's rows, a part at a time; of every source where none is named."""
        return self._tables.held(stream, source)

    # -- writing -------------------------------------------------------------------------

    def prepare(self, streams: Iterable[Stream], remade: Mapping[str, Sequence[str]]) -> set[str]:
        """Make the tables and columns that are missing, so that readers find them. Idempotent.

        Args:
            streams: with every column that their tables are to have.
            remade: columns by stream that are there with another type: they go first.

        Returns:
            Streams whose tables were not there before.
        """
        wanted = list(streams)
        self._pipeline.schemas.save_schema(schema(ALL, wanted, self._hints))
        return self._tables.prepare(wanted, remade)

    def count_remade(self, times: int) -> None:
        """Tell dlt how often a column was made anew: it looks at tables of another count again."""
        self._hints["x-zimun-remade"] = times

    def put_claim(self, claim: Claim) -> None:
        """Record whose the dataset is, in place of what was recorded."""
        self.replace(CLAIM, claim.as_table())

    def replace(self, table: str, rows: pa.Table, hints: Sequence[TColumnSchema] = ()) -> None:
        """Replace all rows of a table of the sink's own.

        Args:
            table: its name.
            rows: its rows from now on.
            hints: what dlt may know of its columns beyond their names and types.
        """
        owner = schema(f"{NAME}_{table.strip('_')}", (), {})
        self._run(owner, rows, name=table, columns=list(hints), write_disposition="replace")

    def load(self, stream: Stream, rows: pa.Table) -> None:
        """Replace or delete rows by their key; durable on return.

        Args:
            stream: with every column that its table has.
            rows: see `staged`.
        """
        known = self._schemas.get(stream)
        if known is None:
            known = schema(f"{NAME}_{stream.name}", (stream,), self._hints)
            self._schemas[stream] = known
        disposition = {"disposition": "merge", "strategy": self._hints["x-merge-strategy"]}
        self._run(
            known,
            rows,
            name=stream.name,
            columns=columns(stream),
            write_disposition=disposition,
        )

    def forget(self, tables: Sequence[str]) -> Erasure:
        """Erase former rows of tables, or tell what a person has to do.

        Raises:
            SinkUnavailable: not now.
        """
        return self._tables.forget(tables)

    def _run(self, into: dlt.Schema, rows: pa.Table, **resource: Any) -> None:
        if self._settings.table_format is not None:
            resource["table_format"] = self._settings.table_format
        # PostgreSQL's fast way in takes no Parquet file without rows.
        wanted: Any = next(iter(self._formats if len(rows) else self._formats[::-1]), None)
        self._pipeline.run(
            dlt.resource(rows, **resource),
            schema=into,
            loader_file_format=wanted,
        )
        self._sweep()

    def _sweep(self) -> None:
        """Remove dlt's notes of what it has loaded: it would keep those of every load."""
        for done in (Path(self._pipeline.working_dir) / "load" / "loaded").iterdir():
            shutil.rmtree(done)


def _tables(settings: WarehouseSettings, pipeline: dlt.Pipeline) -> Tables:
    if settings.destination != "filesystem":
        return SqlTables(pipeline, settings)
    from zimun_connectors.warehouse.delta import DeltaTables

    return DeltaTables(pipeline)


def _destination(settings: WarehouseSettings, local: Path | None) -> Any:
    name = settings.destination
    if name in NOT_WAREHOUSES:
        raise SinkBroken(
            f"{name!r} is no warehouse.", hint="Choose another `destination` for the sink."
        )
    given = dict(settings.options)
    if local is not None and name == "filesystem":
        given["bucket_url"] = local.as_uri()
    if settings.credentials is not None:
        given["credentials"] = revealed(settings.credentials)
    if local is not None and name == "duckdb":
        given["credentials"] = str(local)
    made = Destination.from_reference(name, **given)
    _refuse_unknown_options(settings, made)
    return made


def _refuse_unknown_options(settings: WarehouseSettings, destination: Any) -> None:
    """The factories take any name, and leave those aside that they do not know."""
    known = set(inspect.signature(type(destination).__init__).parameters)
    known |= destination.spec.get_resolvable_fields().keys()
    unknown = sorted(settings.options.keys() - known)
    if unknown:
        raise SinkBroken(
            f"{settings.place}: it knows no option {', '.join(map(repr, unknown))}.",
            hint="Correct `options`; dlt's page on the destination lists them.",
        )


def _staging(settings: WarehouseSettings) -> Any:
    if settings.staging is None:
        return None
    given: dict[str, Any] = {"bucket_url": settings.staging.bucket_url}
    if settings.staging.credentials is not None:
        given["credentials"] = revealed(settings.staging.credentials)
    return Destination.from_reference("filesystem", **given)


def _merging(settings: WarehouseSettings, destination: Any) -> dict[str, Any]:
    """How rows take others' place: dlt's name of it, and the tables' format.

    A deletion that comes twice has to be harmless. As `upsert` does it on SQL, a row that is
    not there any more would be inserted with its mark, so that is for Delta tables alone.
    """
    capabilities = destination.capabilities()
    strategies = list(capabilities.supported_merge_strategies or ())
    wanted = "upsert" if settings.destination == "filesystem" else "delete-insert"
    if wanted not in strategies:
        raise SinkBroken(
            f"{settings.place}: dlt cannot replace rows by their key there.",
            hint="Choose another `destination` for the sink.",
        )
    # A batch has each record once.
    hints: dict[str, Any] = {"x-merge-strategy": wanted, "x-stage-data-deduplicated": True}
    if settings.table_format is not None:
        hints["table_format"] = settings.table_format
    return hints


def _file_formats(settings: WarehouseSettings, destination: Any) -> list[Any]:
    """The files that rows may travel in, the best first; none: that is the destination's affair."""
    if settings.staging is not None:
        return ["parquet"]
    capabilities = destination.capabilities()
    supported = list(capabilities.supported_loader_file_formats or ())
    selector = capabilities.loader_file_format_selector
    if selector is not None:
        preferred = capabilities.preferred_loader_file_format
        shape: Any = {"name": CLAIM, "columns": {}, "table_format": settings.table_format}
        _, supported = selector(preferred, supported, table_schema=shape)
    return [name for name in _FORMATS if name in supported]
