"""Renders the dbt package's models for a database, without dbt.

Of dbt's Jinja it knows what the models use: `source`, `ref` and `adapter.dispatch`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, Literal

from zimun_sync import __version__
from zimun_sync.marts.descriptions import FOLDER, Relation, views

if TYPE_CHECKING:  # where nothing is rendered, Jinja is not loaded
    from jinja2 import Environment, Template
    from jinja2.runtime import Macro

Dialect = Literal["duckdb", "postgres"]

#: How a stream's table or another view is called in the database.
Naming = Callable[[str], str]

#: The package and its only source, as the models name them.
_PACKAGE: Final = "zimun"

#: Kinds of the files that decide what is rendered.
_SOURCES: Final = frozenset({".sql", ".yml", ".py"})


@dataclass(frozen=True, slots=True)
class Model:
    """One view of the model.

    Args:
        relation: its name, meaning and columns.
        streams: the streams that it reads itself.
        models: the other views that it reads.
    """

    relation: Relation
    streams: frozenset[str]
    models: frozenset[str]

    @property
    def name(self) -> str:
        """The view's name."""
        return self.relation.name


@cache
def models() -> tuple[Model, ...]:
    """Every view of the model; each comes after those that it reads."""
    found = {name: _model(relation) for name, relation in views().items()}
    order = TopologicalSorter({name: model.models for name, model in found.items()})
    return tuple(found[name] for name in order.static_order())


def render(name: str, dialect: Dialect, naming: Naming) -> str:
    """The SELECT statement of a view.

    Args:
        name: the view's name.
        dialect: the database's SQL.
        naming: gives the SQL name of a stream's table, and of another view.
    """
    return _rendered(name, dialect, naming, naming)


def fingerprint() -> str:
    """Tells the model, as this release renders it, from any other; rendering would take longer."""
    digest = sha256(__version__.encode())
    for file in sorted(each for each in FOLDER.rglob("*") if each.suffix in _SOURCES):
        digest.update(f"\n{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _model(relation: Relation) -> Model:
    streams: list[str] = []
    others: list[str] = []
    _rendered(relation.name, "duckdb", _noting(streams), _noting(others))
    return Model(relation, frozenset(streams), frozenset(others))


def _noting(names: list[str]) -> Naming:
    def note(name: str) -> str:
        names.append(name)
        return name

    return note


def _rendered(name: str, dialect: Dialect, source: Naming, ref: Naming) -> str:
    def stream(package: str, name: str) -> str:
        _refuse_other(package)
        return source(name)

    return _template(name, dialect).render(source=stream, ref=ref).strip()


@cache
def _template(name: str, dialect: Dialect) -> "Template":
    text = (FOLDER / "models" / f"{name}.sql").read_text(encoding="utf-8")
    return _environment(dialect).from_string(text)


@cache
def _environment(dialect: Dialect) -> "Environment":
    """Jinja with the package's macros, of which the dialect's own come first."""
    from jinja2 import Environment, StrictUndefined
    from jinja2.runtime import Macro

    macros: dict[str, Macro] = {}

    def dispatch(name: str, package: str) -> "Macro":
        _refuse_other(package)
        return macros.get(f"{dialect}__{name}") or macros[f"default__{name}"]

    environment = Environment(undefined=StrictUndefined)  # noqa: S701 - this is SQL
    environment.globals |= {"adapter": SimpleNamespace(dispatch=dispatch)}
    exported = vars(environment.from_string(_macros()).module)
    macros |= {name: macro for name, macro in exported.items() if isinstance(macro, Macro)}
    environment.globals |= macros
    return environment


def _macros() -> str:
    files = sorted((FOLDER / "macros").glob("*.sql"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _refuse_other(package: str) -> None:
    if package != _PACKAGE:
        raise ValueError(f"the models know the package {_PACKAGE!r} only, not {package!r}")
