"""The `postgres` section of a configuration."""

from typing import Annotated, Any, Final, Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    SecretStr,
    model_validator,
)

#: Bytes of a name that PostgreSQL keeps; it cuts off the rest.
NAME_BYTES: Final = 63


def _name(value: str) -> str:
    if not 0 < len(value.encode()) <= NAME_BYTES or not value.isprintable():
        raise ValueError(f"should be a name of 1 to {NAME_BYTES} bytes")
    return value


def _schema(value: str) -> str:
    if value.startswith("pg_") or value == "information_schema":
        raise ValueError("should not be one of PostgreSQL's own schemas")
    return _name(value)


def _url(value: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(value.get_secret_value())
    except psycopg.Error:  # its words may quote a password
        raise ValueError(
            "should be an address such as postgresql://user@host/database?sslmode=require, "
            "or service=NAME"
        ) from None
    return value


class PublishSettings(BaseModel):
    """Who may read the tables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: tuple[Annotated[str, AfterValidator(_name)], ...] = Field(
        default=(),
        description="Roles that may read the schema's tables, such as `[analysts, metabase]`; "
        "they have to exist.",
    )


class PostgresSettings(BaseModel):
    """Settings of one `postgres` sink."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, hide_input_in_errors=True
    )

    type: Literal["postgres"] = Field(default="postgres", description="The connector.")
    url: Annotated[SecretStr, AfterValidator(_url)] = Field(
        description="The database, such as `postgresql://user@host/database?sslmode=verify-full`, "
        "or `service=NAME`; all parameters of libpq may be given.",
    )
    password: SecretStr | None = Field(
        default=None, description="The user's password, where it is not in `url` or `~/.pgpass`."
    )
    schema_name: Annotated[str, AfterValidator(_schema)] = Field(
        default="zimun",
        alias="schema",
        description="Schema of the tables; created where it is missing.",
    )
    publish: PublishSettings = Field(
        default_factory=PublishSettings,
        description="Who else may read the tables: `{roles: [analysts]}`.",
    )
    model: bool = Field(
        default=True,
        description="Whether to make the views of the model, such as `fact_appointments` and "
        "`metrics_daily`, beside the tables.",
    )
    statement_timeout: PositiveFloat = Field(
        default=60, description="Seconds one statement may take before it is given up."
    )
    lock_timeout: PositiveFloat = Field(
        default=5,
        description="Seconds to wait for a lock before giving up; when a column is added, readers "
        "may have to wait as long.",
    )
    application_name: Annotated[str, AfterValidator(_name)] = Field(
        default="zimun-sync",
        description="Begins the name that the server shows for the connection; `/` and the "
        "sink's name follow.",
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.parameters.get("password"):
            raise ValueError("give the password once: in `url` or as `password`")
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """What `url` says, by libpq's names."""
        return conninfo_to_dict(self.url.get_secret_value())

    @property
    def place(self) -> str:
        """The sink in messages; holds no secret."""
        given = self.parameters
        host = given.get("host") or given.get("service") or "local server"
        port = f":{given['port']}" if given.get("port") else ""
        database = f"/{given['dbname']}" if given.get("dbname") else ""
        return f"PostgreSQL {host}{port}{database}, schema {self.schema_name}"
