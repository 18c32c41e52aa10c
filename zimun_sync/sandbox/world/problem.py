"""The one exception that becomes an error answer."""

from collections.abc import Mapping


class ApiProblem(Exception):
    """A request that the sandbox refuses.

    Args:
        status: the HTTP status to answer with.
        code: a stable word for programs, such as `slot-taken`.
        message: a sentence for people.
        headers: further headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def invalid(message: str) -> ApiProblem:
    """422: the request is understood and not acceptable."""
    return ApiProblem(422, "invalid", message)


def taken(message: str) -> ApiProblem:
    """409: somebody else was quicker."""
    return ApiProblem(409, "slot-taken", message)


def not_found(what: str) -> ApiProblem:
    """404: there is no such thing, or no longer."""
    return ApiProblem(404, "not-found", f"There is no {what}.")
