"""Statements of SQLite, compiled once a process.

SQLAlchemy keeps what it has compiled by the dialect object, of which each engine has its own. A
state has two engines, and compiling takes longer than most of its queries.
"""

from typing import Any, Final

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

#: SQLAlchemy's name of the dialect, as the part of a URL before `://`.
DRIVER: Final = "sqlite+zimun"

#: For the execution option `compiled_cache`; as large as there are statements in the code.
COMPILED: Final[dict[Any, Any]] = {}


class SharedDialect(SQLiteDialect_pysqlite):
    """SQLite's own dialect, of which all are one: they compile alike."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedDialect)

    def __hash__(self) -> int:
        return hash(SharedDialect)


registry.register(DRIVER.replace("+", "."), __name__, SharedDialect.__name__)
