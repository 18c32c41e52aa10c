"""A connector that goes wrong as its settings say; `test_faults_sinks.py` installs it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from zimun_sync.sinks import (
    Batch,
    Connector,
    Rejection,
    SinkBroken,
    SinkContext,
    SinkUnavailable,
    WriteResult,
)

#: Of how many records one is refused.
_REFUSED = 10


class OddSettings(BaseModel, extra="forbid"):
    """How it goes wrong."""

    type: Literal["odd"] = "odd"
    path: Path
    way: Literal["honest", "slow", "away", "needy", "short", "refusing", "halved", "dumb"]


class OddSink:
    """Keeps the lengths of appointments by their keys in a file of JSON."""

    def __init__(self, path: Path, way: str) -> None:
        self._path = path
        self._way = way

    def open(self, context: SinkContext, /) -> None:
        self._stop = context.stop
        if self._way == "needy":
            raise SinkBroken("Its key has expired.", hint="Make another key.")

    def write(self, batch: Batch, /) -> WriteResult:
        if self._way == "slow":
            self._stop.wait(0.3)
        if self._way == "away":
            raise SinkUnavailable("It is down for maintenance.", retry_after=3600)
        if self._way == "short":
            return WriteResult(applied=len(batch) // 2, unchanged=0)  # the rest is not told of
        if self._way == "dumb":
            return None  # type: ignore[return-value]
        every = _REFUSED if self._way == "refusing" else len(batch) + 1
        odd = [each.key for each in batch.changes[every - 1 :: every]]
        self._take(batch, odd)
        rejected = tuple(Rejection(key, "too-odd", "It is not to its taste.") for key in odd)
        return WriteResult(len(batch) - len(odd), 0, rejected)

    def _take(self, batch: Batch, refused: Sequence[str]) -> None:
        if batch.stream.name != "appointments":
            return
        held: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        for number, change in enumerate(batch.changes):
            if self._way == "halved" and number > len(batch) // 2:
                self._path.write_text(json.dumps(held))
                raise ConnectionResetError("The connection broke in mid-batch.")
            if change.key not in refused:
                held[change.key] = change.row and change.row["duration_minutes"]
        self._path.write_text(json.dumps(held))

    def close(self) -> None:
        pass


def _build(settings: OddSettings, folder: Path) -> OddSink:
    return OddSink(folder / settings.path, settings.way)


connector = Connector("odd", "goes wrong on purpose", OddSettings, _build)
