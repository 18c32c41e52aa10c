"""The `csv` section of a configuration."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.csv.format import Format
from zimun_sync.model import STREAMS, ColumnType

_ENDINGS = {"crlf": "\r\n", "lf": "\n"}
_TEXT_COLUMNS = frozenset(
    column.name
    for stream in STREAMS.values()
    for column in stream.columns
    if column.type is ColumnType.TEXT
)


class CsvSettings(BaseModel):
    """Settings of one `csv` sink."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Literal["csv"] = Field(default="csv", description="The connector.")
    path: Path = Field(
        description="Folder of the files, such as `var/csv`; one file a stream. Relative to the "
        "configuration's folder."
    )
    preset: Literal["standard", "excel"] = Field(
        default="standard",
        description="`standard`: RFC 4180, UTF-8, ISO-8601 times. `excel`: with a byte order "
        "mark, and times as the wall clock of the record's location, without offset.",
    )
    delimiter: Literal[",", ";", "\t", "|"] = Field(
        default=",", description="Between cells: `,`, `;`, `|` or a tab."
    )
    decimal_separator: Literal[".", ","] = Field(
        default=".", description="In prices: `.` or `,`; not the delimiter."
    )
    line_ending: Literal["crlf", "lf"] = Field(
        default="crlf", description="`crlf` as RFC 4180 has it, or `lf`."
    )
    formula_safe_except: frozenset[str] = Field(
        default=frozenset(),
        description="Text columns to write as they are, although a spreadsheet may run a cell of "
        "theirs as a formula.",
    )
    changes: bool = Field(
        default=False,
        description="Also append every change to `changes/<stream>-<day>.csv`, the day in UTC.",
    )
    changes_keep_days: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Days after which a file of changes is removed; by default never.",
    )
    publish: PublishSettings = Field(
        default_factory=PublishSettings, description="Permissions of the files."
    )

    @field_validator("formula_safe_except")
    @classmethod
    def _known_columns(cls, names: frozenset[str]) -> frozenset[str]:
        unknown = ", ".join(sorted(names - _TEXT_COLUMNS))
        if unknown:
            raise ValueError(f"no text column is called {unknown}")
        return names

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.delimiter == self.decimal_separator:
            raise ValueError("delimiter and decimal_separator must differ: set delimiter to ';'")
        return self

    @property
    def format(self) -> Format:
        """How rows are spelled under these settings."""
        excel = self.preset == "excel"
        return Format(
            delimiter=self.delimiter,
            decimal_separator=self.decimal_separator,
            line_ending=_ENDINGS[self.line_ending],
            byte_order_mark=excel,
            wall_clock=excel,
            unguarded=tuple(sorted(self.formula_safe_except)),
        )
