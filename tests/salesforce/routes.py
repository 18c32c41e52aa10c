"""The REST API of the fake: which call is which, and what each does to the organization."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from tests.salesforce.bulk import Job, sheet
from tests.salesforce.org import FakeOrg, Refusal, Stored, full_id
from tests.salesforce.schema import BadValue
from tests.salesforce.soql import Malformed, parse

VERSION: Final = "67.0"

_COLLECTION: Final = re.compile(r"/composite/sobjects(?:/(\w+))?(?:/(\w+))?$")
_JOB: Final = re.compile(r"/jobs/ingest(?:/(\w+))?(?:/(\w+))?/?$")
_DESCRIBE: Final = re.compile(r"/sobjects/(\w+)/describe$")
_PAGE: Final = re.compile(r"/(query|queryAll)(?:/(\d+)-(\d+))?$")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `name` is what the tests call it, `length` that of its address."""

    method: str
    path: str
    query: Mapping[str, str]
    content: bytes
    headers: Mapping[str, str]
    session: str
    length: int
    name: str

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def records(self) -> int:
        """How many records it was to write."""
        if self.method == "PUT":
            return self.content.count(b"\n") - 1
        if self.method == "DELETE":
            return len(self.query["ids"].split(","))
        return len(self.json()["records"])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; bytes as they are, anything else as JSON."""

    status: int
    body: Any


def error(status: int, code: str, message: str) -> Reply:
    """An answer that refuses a whole call."""
    return Reply(status, [{"errorCode": code, "message": message}])


def name_of(method: str, path: str, content: bytes) -> str:
    """What the tests call a request."""
    if path.endswith("/oauth2/token"):
        return "token"
    if found := _DESCRIBE.search(path):
        return f"{found[1]}/describe"
    if found := _PAGE.search(path):
        return found[1]
    if found := _JOB.search(path):
        words = {"POST": "create", "PUT": "upload", "PATCH": "close"}
        return f"jobs/{words.get(method) or found[2] or 'state'}"
    if found := _COLLECTION.search(path):
        return _collection_name(method, found[1], content)
    return path


def _collection_name(method: str, table: str | None, content: bytes) -> str:
    if method == "DELETE":
        return "Event/delete"
    if method == "POST":
        return f"{table}/read"
    if table is not None:
        return f"{table}/upsert"
    records = json.loads(content)["records"]
    return f"{records[0]['attributes']['type']}/update"


@dataclass
class Api:
    """Answers calls.

    Args:
        org: what is behind it.
        page_size: records on a page of a query.
        polls: how often a bulk job is asked after before it is done.
        job_ends_after: rows after which bulk jobs fail; None: they do not.
        jobs: every bulk job, by id.
    """

    org: FakeOrg
    page_size: int = 2_000
    polls: int = 1
    job_ends_after: int | None = None
    jobs: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._cursors: dict[str, list[dict[str, Any]]] = {}

    def answer(self, call: Call) -> Reply:
        if not call.path.startswith(f"/services/data/v{VERSION}/"):
            return error(404, "NOT_FOUND", "The requested resource does not exist")
        try:
            return self._answer(call)
        except Malformed as malformed:
            return error(400, malformed.code, str(malformed))
        except KeyError as unknown:
            return error(400, "INVALID_FIELD", f"No such column {unknown} on sobject")
        except BadValue as bad:
            return error(400, "JSON_PARSER_ERROR", str(bad))

    def _answer(self, call: Call) -> Reply:
        if found := _DESCRIBE.search(call.path):
            return self._described(found[1])
        if found := _PAGE.search(call.path):
            return self._queried(call, found[1], found[2], int(found[3] or 0))
        if found := _JOB.search(call.path):
            return self._job(call, found[1], found[2] or "")
        if found := _COLLECTION.search(call.path):
            return self._collection(call, found[1], found[2])
        return error(404, "NOT_FOUND", "The requested resource does not exist")

    def _described(self, table: str) -> Reply:
        fields = [column.describe(name) for name, column in self.org.tables[table].items()]
        body = {"name": table, "createable": True, "updateable": True, "fields": fields}
        return Reply(200, body)

    # -- queries ----------------------------------------------------------------------------

    def _queried(self, call: Call, resource: str, cursor: str | None, start: int) -> Reply:
        everything = resource == "queryAll"
        if cursor is None:
            cursor = str(next(self._numbers))
            query = parse(call.query["q"], self.org.tables)
            rows = [_seen(record) for record in self._listed(query.table, everything=everything)]
            rows = [row for row in rows if query.where(row)]
            if not query.fields:
                return Reply(200, {"totalSize": len(rows), "done": True, "records": []})
            self._cursors[cursor] = [
                {"attributes": {"type": query.table}, **{name: row[name] for name in query.fields}}
                for row in rows
            ]
        rows, end = self._cursors[cursor], start + self.page_size
        body = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            base = f"/services/data/v{VERSION}/{resource}"
            body["nextRecordsUrl"] = f"{base}/{cursor}-{end}"
        return Reply(200, body)

    def _listed(self, table: str, *, everything: bool) -> list[Stored]:
        if everything:
            return list(self.org.all(table))
        return [record for record in self.org.live(table) if not record.is_archived]

    # -- collections ------------------------------------------------------------------------

    def _collection(self, call: Call, table: str | None, key_field: str | None) -> Reply:
        if call.method == "DELETE":
            ids = call.query["ids"].split(",")
            return Reply(200, [self._result(self.org.delete, each) for each in ids])
        if call.method == "POST":
            return self._retrieved(call.json(), str(table))
        records = call.json()["records"]
        if len(records) > 200:
            return error(400, "EXCEEDED_MAX_SIZE_REQUEST", "record limit reached")
        for record in records:  # a value of the wrong type fails the call, whatever the others
            self._check_types(record)
        if table is None:
            results = [self._result(self.org.update, each["Id"], each) for each in records]
            return Reply(200, results)
        allow = "allowSave=true" in call.headers.get("sforce-duplicate-rule-header", "")
        return Reply(
            200,
            [self._result(self._upserted, table, key_field, each, allow) for each in records],
        )

    def _check_types(self, record: Mapping[str, Any]) -> None:
        columns = self.org.tables[record["attributes"]["type"]]
        for name, value in record.items():
            if name not in ("attributes", "Id"):
                columns[name].read(name, value)

    def _upserted(self, table: str, key_field: str, record: Any, allow: bool) -> Any:
        return self.org.upsert(table, key_field, record, allow=allow)

    def _result(self, act: Any, *arguments: Any) -> dict[str, Any]:
        try:
            done = act(*arguments)
        except Refusal as refusal:
            return {"success": False, "errors": [refusal.as_error()]}
        if isinstance(done, tuple):
            record, created = done
            return {"id": record.id, "success": True, "errors": [], "created": created}
        record_id = done.id if done is not None else arguments[0]
        return {"id": record_id, "success": True, "errors": []}

    def _retrieved(self, body: Mapping[str, Any], table: str) -> Reply:
        assert len(body["ids"]) <= 2_000
        found = [self.org.get(each) for each in body["ids"]]
        return Reply(
            200,
            [
                None
                if record is None or record.is_deleted
                else {name: _seen(record)[name] for name in body["fields"]}
                for record in found
            ],
        )

    # -- bulk jobs --------------------------------------------------------------------------

    def _job(self, call: Call, job_id: str | None, part: str) -> Reply:
        if job_id is None:
            return self._new_job(call.json())
        job = self.jobs.get(job_id)
        if job is None:
            return error(404, "NOT_FOUND", "The requested resource does not exist")
        if call.method == "PUT":
            job.upload(call.content)
            return Reply(201, b"")
        if call.method == "PATCH":
            job.state = call.json()["state"]
        elif part:
            rows = {
                "successfulResults": job.done,
                "failedResults": job.failed,
                "unprocessedrecords": job.unprocessed,
            }
            return Reply(200, sheet(rows[part]))
        elif job.state in ("UploadComplete", "InProgress"):
            self._go_on(job)
        return Reply(200, job.as_json())

    def _new_job(self, body: Mapping[str, Any]) -> Reply:
        job_id = full_id(f"7505g00{next(self._numbers):08d}")
        key_field = body.get("externalIdFieldName", "")
        job = Job(job_id, body["object"], body["operation"], key_field, self.polls)
        self.jobs[job_id] = job
        return Reply(200, job.as_json())

    def _go_on(self, job: Job) -> None:
        job.state = "InProgress"
        if job.polls > 0:
            job.polls -= 1
        else:
            job.work(self.org, self.job_ends_after)


def _seen(record: Stored) -> dict[str, Any]:
    own: dict[str, Any] = {"IsDeleted": record.is_deleted}
    if "MasterRecordId" in record.values:
        own["MasterRecordId"] = record.master
    return {**record.values, **own}
