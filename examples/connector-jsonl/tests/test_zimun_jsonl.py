import json

from zimun_jsonl import JsonlSettings, build

from zimun_sync.testing import SinkContract


class JsonlHarness:
    def __init__(self, folder):
        self.folder = folder

    def make(self, path="changes.jsonl"):
        return build(JsonlSettings(path=path), self.folder)

    def unusable(self):
        return self.make("missing folder/changes.jsonl")

    def rows(self, stream):
        lines = map(json.loads, (self.folder / "changes.jsonl").read_text().splitlines())
        latest = {(name, source, key): row for source, name, key, _, _, row in lines}
        return {place[1:]: row for place, row in latest.items() if row and place[0] == stream.name}


class TestJsonlContract(SinkContract):
    def harness(self, folder):
        return JsonlHarness(folder)

    def seen(self, stream, row):
        return json.loads(json.dumps(row, default=str))  # JSON has neither dates nor decimals
