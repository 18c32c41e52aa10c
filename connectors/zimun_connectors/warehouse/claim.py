"""Whose a dataset is: one row in it, and the checks made with it."""

from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import uuid4

import pyarrow as pa

from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.warehouse.shape import Shape
from zimun_sync.errors import SinkBroken
from zimun_sync.sinks import SinkContext

#: Version of what the sink writes; a newer one is refused.
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The row of the claim's table.

    Args:
        format: version of what the sink writes.
        store_id: the store that fills the dataset.
        sink: the sink's name in the configuration.
        id: another one each time the dataset is claimed or adopted; what a sink remembers
            belongs to one of them.
        adopted: whether an earlier store's sequences may stand in the tables.
        shape: the tables' columns, see `Shape.as_text`.
    """

    format: int
    store_id: str
    sink: str
    id: str
    adopted: bool
    shape: str

    @classmethod
    def new(cls, context: SinkContext, shape: Shape, *, adopted: bool) -> Self:
        """A claim for the context's store."""
        number = uuid4().hex
        return cls(FORMAT, context.store_id, context.name, number, adopted, shape.as_text())

    def as_table(self) -> pa.Table:
        """The row as dlt takes it."""
        return pa.table({name: [getattr(self, name)] for name in self.__slots__})

    def refuse_other(self, context: SinkContext, place: str) -> None:
        """Make sure that this sink of this store may write.

        Raises:
            SinkBroken: the dataset is another's, or a newer release wrote it.
        """
        if self.format > FORMAT:
            raise SinkBroken(
                f"{place} was written by a newer release (format {self.format}; this one knows "
                f"{FORMAT}).",
                hint="Upgrade zimun-sync, or give the sink another `dataset`: it fills from the "
                "store.",
            )
        refuse_other_store(context, self.store_id, {})
        if self.sink != context.name and not context.adopting:
            raise SinkBroken(
                f"{place} is filled by the sink {self.sink!r}.",
                hint="Give each sink a `dataset` of its own; or, if the sink was renamed, run: "
                f"zimun-sync adopt {context.name}",
            )


def from_row(row: tuple[Any, ...]) -> Claim:
    """The claim that a reader found, its columns in the class's order."""
    version, store_id, sink, number, adopted, shape = row
    return Claim(int(version), str(store_id), str(sink), str(number), bool(adopted), str(shape))


def refuse_lost(context: SinkContext, place: str) -> None:
    """Refuse to fill half a dataset: what this sink wrote is there no more.

    Raises:
        SinkBroken: unless the user has agreed to it.
    """
    if not context.adopting:
        raise SinkBroken(
            f"{place} no longer holds what the sink {context.name!r} wrote.",
            hint=f"Restore it; or fill it anew: zimun-sync adopt {context.name}, then "
            "zimun-sync sync",
        )
