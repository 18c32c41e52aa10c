"""A connector with every bad habit: it breaks, in threads too, and quotes data and secrets."""

import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from zimun_sync.sinks import Batch, Connector, SinkContext, WriteResult


class TalkativeSettings(BaseModel):
    token: SecretStr


class TalkativeSink:
    def __init__(self, settings: TalkativeSettings) -> None:
        self._token = settings.token.get_secret_value()

    def open(self, context: SinkContext, /) -> None:
        """Nothing to open."""

    def write(self, batch: Batch, /) -> WriteResult:
        row = dict(batch.changes[-1].row or {})
        thread = threading.Thread(target=self._fail, args=(row,), name="talkative")
        thread.start()
        thread.join()
        self._fail(row)
        return WriteResult(0)

    def _fail(self, row: dict[str, Any]) -> None:
        raise RuntimeError(f"Authorization: Bearer {self._token} could not write {row!r}")

    def close(self) -> None:
        """Nothing to close."""


def build(settings: TalkativeSettings, _folder: Path) -> TalkativeSink:
    return TalkativeSink(settings)


connector = Connector("talkative", "breaks, and says why", TalkativeSettings, build)
