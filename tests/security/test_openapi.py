"""`docs/openapi.yaml` is what the daemon answers, whatever it is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.thorough import times
from tests.web.conftest import Running, Stage, signed, source
from zimun_sync.web.webhooks import PREFIX

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8")
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [
    (path, method.upper())
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method != "parameters"
]
FUZZED = settings(
    max_examples=times(40, 1000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    database=None,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    stage = Stage(tmp_path_factory.mktemp("openapi"))
    with stage.stack:
        made = stage.serve(sources={"main": source()})
        made.endpoints.status = lambda: {"sources": {}}
        made.endpoints.metrics = lambda: b"# HELP a b\n"
        yield made
        assert made.failures == []


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@FUZZED
@given(data=st.data())
def test_any_request_is_answered_as_documented(
    data: st.DataObject, path: str, method: str, running: Running
) -> None:
    case = data.draw(SCHEMA[path][method].as_strategy())
    before = len(running.stored())
    response = case.call(base_url=running.server.address)
    case.validate_response(response, checks=CHECKS)
    assert len(running.stored()) == before, "an unsigned event was taken"


@FUZZED
@given(body=st.binary(max_size=2_000))
def test_any_signed_body_is_taken(body: bytes, running: Running) -> None:
    number = len(running.stored())
    response = running.post(body, signed(body, f"msg_{number}"))
    assert (response.status_code, response.json()) == (202, {"status": "accepted"})
    assert running.stored()[-1] == (f"msg_{number}", body)


def test_every_path_of_the_server_is_documented(running: Running) -> None:
    documented = {path.replace("{source}", "main") for path in DOCUMENT["paths"]}
    answered = {path for path in documented if running.client.get(path).status_code != 404}
    assert answered == documented
    assert PREFIX.decode() + "{source}" in DOCUMENT["paths"]
    assert running.client.get("/openapi.json").status_code == 404
