from typing import TYPE_CHECKING

import pytest

from tests.marts.engines import DuckDb, Engine, Postgres

if TYPE_CHECKING:
    from tests.conftest import PostgresServer


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Each database that has the views; `load` a world into it first."""
    if request.param == "duckdb":
        return DuckDb(tmp_path_factory.mktemp("marts"))
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return Postgres(server.new_schema())
