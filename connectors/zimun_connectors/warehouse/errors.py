"""What dlt and the destinations' drivers raise, as the sink contract's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigurationException,
)
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationTransientException,
    InvalidDestinationReference,
    UnknownDestinationModule,
)
from dlt.common.exceptions import MissingDependencyException

from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable

_LATER: Final = "Check that the warehouse can be reached; delivery goes on by itself then."
_RIGHTS: Final = (
    "Check the sink's `credentials` and the user's rights: it creates, reads and changes tables "
    "in `dataset` and in `dataset` with `_staging` at its end."
)
_SETTINGS: Final = (
    "Correct the sink's `destination`, `credentials` or `options`; "
    "docs/connectors/warehouse.md says where their names are listed."
)
_ALTERED: Final = (
    "If somebody has changed the tables, undo that; or give the sink another `dataset` to fill."
)

#: Words by which drivers refuse a user; they have no code for it in common.
_REFUSALS: Final = (
    "authentication",
    "password",
    "credential",
    "permission",
    "access denied",
    "not authorized",
    "unauthorized",
    "forbidden",
    "insufficient privilege",
    "invalid_grant",
    "role ",
    'database "',
)

#: Classes of PEP 249, which every driver has of its own, for what may pass.
_PASSING: Final = {"OperationalError", "InterfaceError"}

#: Where an exception of dlt's keeps the one that it stands for.
_INNER: Final = ("client_exception", "dbapi_exception", "inner_exc", "exception")

_LONGEST: Final = 300


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise what goes wrong in the block as `SinkUnavailable` or `SinkBroken`.

    What is neither the warehouse's doing nor the configuration's passes as it is: a bug.

    Args:
        place: the sink, for the message.
    """
    try:
        yield
    except SinkError:
        raise
    except Exception as error:
        wanted = _translated(place, _chain(error))
        if wanted is None:
            raise
        raise wanted from error


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and all that it stands for, the first cause at the end."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        inner = (getattr(following, name, None) for name in _INNER)
        known = next((one for one in inner if isinstance(one, BaseException)), None)
        following = known or following.__cause__ or following.__context__
    return chain


def _translated(place: str, chain: list[BaseException]) -> SinkError | None:
    said = f"{place}: {_said(chain)}"
    wrong = _wrong_settings(place, said, chain)
    if wrong is not None:
        return wrong
    if any(words in said.lower() for words in _REFUSALS):
        return SinkBroken(said, hint=_RIGHTS)
    if any(_may_pass(error) for error in chain):
        return SinkUnavailable(said, hint=_LATER)
    if any(isinstance(error, DestinationTerminalException) for error in chain):
        return SinkBroken(said, hint=_ALTERED)
    return None


def _wrong_settings(place: str, said: str, chain: list[BaseException]) -> SinkBroken | None:
    for error in chain:
        match error:
            case UnknownDestinationModule() | InvalidDestinationReference():
                return SinkBroken(f"{place}: dlt has no such destination.", hint=_SETTINGS)
            case MissingDependencyException():
                return SinkBroken(f"{place}: a Python package is missing.", hint=_install(error))
            case ConfigurationException():
                return SinkBroken(said, hint=_SETTINGS)
    return None


def _may_pass(error: BaseException) -> bool:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, DestinationTransientException | OSError) or bool(kinds & _PASSING)


def _said(chain: list[BaseException]) -> str:
    """The first sentence of the first cause: what follows may quote rows."""
    lacking = next((e for e in chain if isinstance(e, ConfigFieldMissingException)), None)
    if lacking is not None:
        return f"these settings are missing: {', '.join(_fields(lacking))}."
    words = str(chain[-1]).strip().partition("\n")[0] or type(chain[-1]).__name__
    return words[:_LONGEST].rstrip(".") + "."


def _fields(error: ConfigFieldMissingException) -> list[str]:
    return sorted(name for name in error.fields)


def _install(error: MissingDependencyException) -> str:
    packages = " ".join(f"'{name}'" for name in error.dependencies)
    return f"Install what it needs: pip install {packages}" if packages else str(error).strip()
