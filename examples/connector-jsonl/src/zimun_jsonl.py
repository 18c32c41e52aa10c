"""A sink that appends every change to one JSON Lines file, for log shippers, jq and scripts."""

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from zimun_sync.sinks import Batch, Connector, SinkBroken, SinkContext, WriteResult


class JsonlSettings(BaseModel, extra="forbid"):
    type: Literal["jsonl"] = "jsonl"
    path: Path = Field(description="The file; relative to the configuration file.")


class JsonlSink:
    def __init__(self, path: Path) -> None:
        self._path, self._file, self._latest = path, None, {}

    def open(self, context: SinkContext, /) -> None:
        self.close()
        try:
            self._file = self._path.open("a+b")
        except OSError as error:
            hint = "Set `path` to a file that this user may create and write."
            raise SinkBroken(f"{context.name}: {error}", hint=hint) from error
        self._file.seek(0)
        whole = [line for line in self._file if line.endswith(b"\n")]
        self._file.truncate(sum(map(len, whole)))  # a crash may have cut the last line off
        for source, stream, key, seq, content, _ in map(json.loads, whole):
            self._latest[source, stream, key] = (seq, content)

    def write(self, batch: Batch, /) -> WriteResult:
        applied = 0
        for change in batch.changes:
            place = (batch.source, batch.stream.name, change.key)
            seq, content = self._latest.get(place, (0, ""))
            if change.seq >= seq and change.hash != content:
                line = [*place, change.seq, change.hash, change.row]
                self._file.write(json.dumps(line, default=str).encode() + b"\n")
                self._latest[place] = (change.seq, change.hash)
                applied += 1
        self._file.flush()
        os.fsync(self._file.fileno())
        return WriteResult(applied, unchanged=len(batch) - applied)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._latest = None, {}


def build(settings: JsonlSettings, folder: Path) -> JsonlSink:
    return JsonlSink(folder / settings.path)


connector = Connector("jsonl", "every change as a line of one file", JsonlSettings, build)
