"""How rows are spelled in a file."""

from dataclasses import dataclass, replace

from zimun_sync.model import Column, ColumnType, Stream


@dataclass(frozen=True, slots=True)
class Format:
    """A spelling of rows as CSV.

    Args:
        delimiter: one character between cells.
        decimal_separator: in decimal columns.
        line_ending: after each row, the header included.
        byte_order_mark: whether the file starts with one, as Excel wants it for UTF-8.
        wall_clock: instants as the wall clock of the record's location, without offset.
        unguarded: text columns whose cells are written even where they look like a formula.
    """

    delimiter: str = ","
    decimal_separator: str = "."
    line_ending: str = "\r\n"
    byte_order_mark: bool = False
    wall_clock: bool = False
    unguarded: tuple[str, ...] = ()

    @property
    def is_canonical(self) -> bool:
        """Whether rows are spelled as the sink keeps them."""
        return replace(self, byte_order_mark=False) == CANONICAL

    def header(self, names: list[str]) -> bytes:
        """The file's first line."""
        mark = "\ufeff" if self.byte_order_mark else ""
        return f"{mark}{self.delimiter.join(names)}{self.line_ending}".encode()


#: The spelling that the sink keeps its rows in: nothing is lost in it, so every other one can
#: be made from it. It is also what the default settings publish, byte for byte.
CANONICAL = Format()

#: The first column in files of changes.
OPERATION = Column("_op", ColumnType.TEXT, "upsert or delete.")


def column_forms(stream: Stream) -> list[str]:
    """What tells the columns of one time from those of another, in their stable order.

    Only promoted columns may come back with another type: theirs is told.
    """
    told = {column.name: f"{column.name}:{column.type.value}" for column in stream.promoted}
    return [told.get(column.name, column.name) for column in stream.columns]


def column_names(stream: Stream) -> list[str]:
    """The stream's columns in their stable order."""
    return [column.name for column in stream.columns]
