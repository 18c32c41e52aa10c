"""The `warehouse` section of a configuration."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    SecretStr,
    StringConstraints,
    model_validator,
)

#: A string, such as a URL, or the fields that dlt's page on the destination names.
Credentials = SecretStr | dict[str, Any]

#: A name that dlt's naming convention leaves as it is.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=60)]


class StagingSettings(BaseModel):
    """A bucket through which the warehouse takes its files, for those that need one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    bucket_url: str = Field(description="The bucket, such as `s3://bucket/folder`.")
    credentials: Credentials | None = Field(
        default=None, repr=False, description="Of the bucket; without, the cloud's own default."
    )


class WarehouseSettings(BaseModel):
    """Settings of one `warehouse` sink."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Literal["warehouse"] = Field(default="warehouse", description="The connector.")
    destination: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = Field(
        description="dlt's name of the destination, such as `bigquery`, `snowflake`, `redshift`, "
        "`databricks`, `clickhouse`, `motherduck`, `postgres`, `duckdb` or `filesystem`."
    )
    dataset: Name = Field(
        default="zimun",
        description="Dataset or schema of the tables, created where it is missing; dlt makes a "
        "second one beside it, with `_staging` at its end.",
    )
    credentials: Credentials | None = Field(
        default=None,
        repr=False,
        description="As dlt's page on the destination says: a URL, or a mapping such as "
        "`{project_id: …, private_key: ${KEY}, client_email: …}`. Without, the cloud's own "
        "default credentials.",
    )
    options: dict[str, Any] = Field(
        default={},
        repr=False,
        description="Further settings of the destination, such as `{location: EU}` for BigQuery "
        "or `{bucket_url: s3://bucket/lake}` for `filesystem`.",
    )
    table_format: Literal["delta", "iceberg"] | None = Field(
        default=None,
        description="`delta` for `filesystem`, `iceberg` for `athena`; otherwise the warehouse's "
        "own tables.",
    )
    staging: StagingSettings | None = Field(
        default=None,
        description="Bucket for files on their way: `{bucket_url: s3://bucket/staging}`. Athena "
        "and Dremio need one; with Redshift it is much faster.",
    )
    path: Path | None = Field(
        default=None,
        description="Folder of the sink's own memory of what it has written; if it is lost it is "
        "read from the warehouse again. Relative to the configuration's folder; default "
        "`DESTINATION-DATASET.warehouse`.",
    )
    min_interval: NonNegativeFloat = Field(
        default=60,
        description="Least seconds between two loads into the same table, unless many records "
        "wait. BigQuery takes at most 1,500 loads into a table a day.",
    )

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        """Refuse what cannot replace rows by their key."""
        if self.destination == "filesystem":
            self._check_filesystem()
        elif self.destination == "athena" and self.table_format != "iceberg":
            raise ValueError("`athena` can only change rows with `table_format: iceberg`")
        elif self.destination == "athena" and self.staging is None:
            raise ValueError("`athena` needs a `staging` bucket")
        return self

    def _check_filesystem(self) -> None:
        if self.table_format != "delta":
            raise ValueError(
                "files cannot be changed row by row: set `table_format: delta`, or use the "
                "`parquet` connector for plain Parquet files"
            )
        if not self.options.get("bucket_url"):
            raise ValueError("`filesystem` needs `options: {bucket_url: …}`, a bucket or a folder")

    @property
    def place(self) -> str:
        """The sink in messages; holds no secret."""
        return f"{self.destination}, dataset {self.dataset}"

    @property
    def fingerprint(self) -> str:
        """Stands for where the tables are, as far as that is no secret."""
        where = [self.destination, self.dataset, self.table_format, self.options.get("bucket_url")]
        return hashlib.blake2b(json.dumps(where).encode(), digest_size=8).hexdigest()

    def memory(self, folder: Path) -> Path:
        """The sink's own folder.

        Args:
            folder: the configuration's.
        """
        own = self.path or Path(f"{self.destination}-{self.dataset}.warehouse")
        return (folder / own).absolute()

    def local_place(self, folder: Path) -> Path | None:
        """The file or folder of a warehouse on this machine.

        Args:
            folder: the configuration's, to which relative paths belong.
        """
        given = self._path_given()
        return None if given is None else (folder / given).absolute()

    def _path_given(self) -> str | None:
        if self.destination == "filesystem":
            url = str(self.options["bucket_url"])
            return None if "://" in url else url
        if self.destination == "duckdb" and isinstance(self.credentials, SecretStr):
            url = self.credentials.get_secret_value()
            return None if ":" in url else url
        return None


def revealed(credentials: Credentials | None) -> Any:
    """Credentials as dlt takes them."""
    return credentials.get_secret_value() if isinstance(credentials, SecretStr) else credentials


#: Of the destinations that dlt has, those that someone may want by mistake.
NOT_WAREHOUSES: Final = ("dummy", "destination", "lance", "lancedb", "qdrant", "weaviate")
