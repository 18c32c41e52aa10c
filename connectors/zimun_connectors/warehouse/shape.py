"""Which columns the dataset's tables have, so that promoted ones can come, change and go.

A column stays when it is no longer promoted, for nothing says that nobody reads it: it is NULL in
every row that is written from then on. One whose type changes is made anew.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from zimun_sync.model import Column, ColumnType, Stream


@dataclass(frozen=True, slots=True)
class Shape:
    """The tables' columns.

    Args:
        columns: type by column name, by stream name.
        remade: how often a column was made anew; dlt has to look at the tables again then.
    """

    columns: Mapping[str, Mapping[str, str]]
    remade: int = 0

    @classmethod
    def of(cls, streams: Iterable[Stream]) -> Self:
        """The shape that the streams ask for."""
        return cls({s.name: {c.name: c.type.value for c in s.columns} for s in streams})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `as_text`."""
        return cls(**json.loads(text))

    def as_text(self) -> str:
        """For the claim's table."""
        return json.dumps({"columns": self.columns, "remade": self.remade}, sort_keys=True)

    def changed(self, wanted: "Shape") -> dict[str, list[str]]:
        """Columns that are there with another type than is wanted, by stream."""
        found = {
            name: [c for c, kind in columns.items() if self._type(name, c) not in (None, kind)]
            for name, columns in wanted.columns.items()
        }
        return {name: columns for name, columns in found.items() if columns}

    def _type(self, stream: str, column: str) -> str | None:
        return self.columns.get(stream, {}).get(column)

    def extended(self, wanted: "Shape") -> "Shape":
        """This shape with all that is wanted."""
        names = [*self.columns, *(name for name in wanted.columns if name not in self.columns)]
        columns = {
            name: {**self.columns.get(name, {}), **wanted.columns.get(name, {})} for name in names
        }
        return Shape(columns, self.remade + bool(self.changed(wanted)))

    def covers(self, stream: Stream) -> bool:
        """Whether every column of the stream is there with its type."""
        have = self.columns.get(stream.name, {})
        return all(have.get(column.name) == column.type for column in stream.columns)

    def widened(self, stream: Stream) -> Stream:
        """The stream with the columns of its table that it has no more."""
        have = {column.name for column in stream.columns}
        former = tuple(
            Column(name, ColumnType(kind), "No longer filled.")
            for name, kind in self.columns.get(stream.name, {}).items()
            if name not in have
        )
        return replace(stream, promoted=stream.promoted + former) if former else stream
