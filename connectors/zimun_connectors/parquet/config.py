"""The `parquet` section of a configuration."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from zimun_connectors.common.access import PublishSettings


class ParquetSettings(BaseModel):
    """Settings of one `parquet` sink."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["parquet"] = Field(default="parquet", description="The connector.")
    path: Path = Field(
        description="Folder of the files, such as `var/parquet`; readers go through `current` in "
        "it. Relative to the configuration's folder."
    )
    compression: Literal["zstd", "snappy", "lz4", "gzip", "none"] = Field(
        default="zstd",
        description="Of the files' pages: `zstd`, `snappy`, `lz4`, `gzip` or `none`.",
    )
    keep_versions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100,
        description="Most replaced versions to keep for readers that have begun with them.",
    )
    keep_minutes: Annotated[int, Field(ge=1)] = Field(
        default=60, description="Minutes after which a replaced version is removed."
    )
    publish: PublishSettings = Field(
        default_factory=PublishSettings, description="Permissions of the published files."
    )

    @property
    def keep_for(self) -> timedelta:
        """How long a replaced version stays."""
        return timedelta(minutes=self.keep_minutes)
