"""What the fakes have in common as systems of the remote contract."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from tests.http_connector.web import Call, Fault, JsonSystem
from zimun_connectors.http import HttpSettings, connector
from zimun_sync.remotes.contract import Kind
from zimun_sync.sinks import Sink
from zimun_sync.testing.remotes import Lack, RemoteSystem, Trouble

#: Status of the answer, and whether the call is carried out before.
_FAULTS: Final = {
    Trouble.DOWN: (503, False),
    Trouble.UNAVAILABLE: (503, False),
    Trouble.COMMIT_THEN_500: (500, True),
    Trouble.TIMEOUT_AFTER_COMMIT: (None, True),
}


class Fake(Protocol):
    """What people can make of either fake."""

    faults: list[Fault]
    refused: str
    ignores_start: bool
    written: int

    def fail(self, fault: Fault) -> None: ...


class FaultySystem:
    """Goes wrong on demand.

    Args:
        fake: the system.
        creates: paths that create, by kind.
        writes: tells whether a call writes.
    """

    def __init__(
        self, fake: Fake, creates: Mapping[Kind, str], writes: Callable[[Call], bool]
    ) -> None:
        self._fake = fake
        self._creates = creates
        self._writes = writes

    def writes(self) -> int:
        return self._fake.written

    def fail(self, trouble: Trouble, kind: Kind | None = None, /) -> None:
        if trouble is Trouble.IGNORES_START:
            self._fake.ignores_start = True
            return
        status, commits = _FAULTS[trouble]
        down = trouble is Trouble.DOWN
        only = (lambda _: True) if down else self._only(kind)
        self._fake.fail(Fault(status, commits, only, -1 if down else 1))

    def _only(self, kind: Kind | None) -> Callable[[Call], bool]:
        if kind is None:
            return self._writes
        path = self._creates[kind]
        return lambda call: call.path == path and call.method == "POST"

    def mend(self) -> None:
        self._fake.faults.clear()
        self._fake.ignores_start = False
        self._fake.refused = ""

    def refuse(self, text: str, /) -> str:
        self._fake.refused = text
        return f"{text} is not valid."


class HttpHarness:
    """One fake, started here or reached where it runs already, and sinks on it.

    Args:
        fake: a new one; None where it runs at the address.
        system: the fake as its people see it.
        address: where it runs.
        settings: of a sink on the system at an address.
        lacks: what it does not have.
        fields: the remote's names of phone and title.
    """

    def __init__(
        self,
        fake: JsonSystem | None,
        system: RemoteSystem | None,
        address: str,
        settings: Callable[..., dict[str, Any]],
        lacks: frozenset[Lack],
        fields: Mapping[str, str],
    ) -> None:
        self.lacks = lacks
        self.fields = fields
        self._fake = fake
        # Another process only makes sinks, and looks at nothing.
        self.system = cast(RemoteSystem, system)
        self._settings = settings
        self.address = address
        if fake is not None:
            fake.__enter__()
            self.address = fake.url

    def make(self, **settings: Any) -> Sink:
        given = self._settings(self.address, **settings)
        return connector.build(HttpSettings.model_validate(given), Path())

    def close(self) -> None:
        if self._fake is not None:
            self._fake.__exit__(None, None, None)
