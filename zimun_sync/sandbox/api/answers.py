"""Answers as JSON."""

from typing import Any

import msgspec
from starlette.responses import Response

from zimun_sync.sandbox.api.auth import TokenRefused
from zimun_sync.sandbox.world.problem import ApiProblem

_JSON = "application/json"


def encoded(body: bytes, status: int = 200) -> Response:
    """An answer whose body is JSON already."""
    return Response(body, status, media_type=_JSON)


def json_answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return encoded(msgspec.json.encode(value), status)


def problem_answer(problem: ApiProblem) -> Response:
    """An error as the API words it."""
    body = msgspec.json.encode({"code": problem.code, "message": problem.message})
    return Response(body, problem.status, problem.headers, _JSON)


def refusal_answer(refusal: TokenRefused) -> Response:
    """An error of the token endpoint."""
    body = {"error": refusal.error, "error_description": str(refusal)}
    headers = {"cache-control": "no-store"}
    if refusal.status == 401:  # noqa: PLR2004 - an HTTP status
        headers["www-authenticate"] = 'Basic realm="zimun"'
    return Response(msgspec.json.encode(body), refusal.status, headers, _JSON)
