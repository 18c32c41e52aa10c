"""The `duckdb` section of a configuration."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zimun_connectors.common.access import PublishSettings


class DuckdbSettings(BaseModel):
    """Settings of one `duckdb` sink."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Literal["duckdb"] = Field(default="duckdb", description="The connector.")
    path: Path = Field(
        description="The file analysts open, such as `var/zimun.duckdb`; the data lies next to it "
        "in `zimun.data`. Relative to the configuration's folder.",
    )
    reader_root: Path | None = Field(
        default=None,
        description="Absolute folder in which readers see `path`, where that differs from the "
        "daemon's view (a container's mount). Default: the folder of `path`.",
    )
    publish: PublishSettings = Field(
        default_factory=PublishSettings, description="Permissions of the published files."
    )
    model: bool = Field(
        default=True,
        description="Whether the views of the model, such as `fact_appointments` and "
        "`metrics_daily`, stand beside the streams'.",
    )
    memory_limit: Annotated[str, Field(pattern=r"^\d+ ?(KB|MB|GB|KiB|MiB|GiB)$")] = Field(
        default="96MB",
        description="Memory the sink's DuckDB may use, such as `96MB`; beyond it DuckDB spills "
        "to the private folder.",
    )
    threads: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Threads the sink's DuckDB may use."
    )

    @field_validator("reader_root")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("reader_root must be an absolute folder, as the readers see it")
        return value
