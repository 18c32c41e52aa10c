"""One request on its way through the sandbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from starlette.requests import Request

from zimun_sync.sandbox.api.paging import Cursor
from zimun_sync.sandbox.faults.fault import Fault, Phase
from zimun_sync.sandbox.world.problem import ApiProblem


@dataclass
class Call:
    """A request and what was found out about it.

    Args:
        request: the request as Starlette has it.
        target: what it is for, such as `appointments`, `appointments/id`, `hold` or `token`.
        body: its body.
        cursor: the page it asks for, when it asks for one and its page token is good.
        faults: what goes wrong with it.
    """

    request: Request
    target: str
    body: bytes
    cursor: Cursor | None = None
    faults: Sequence[Fault] = ()

    @property
    def authorization(self) -> str | None:
        """The `Authorization` header."""
        return self.request.headers.get("authorization")

    @property
    def page_token(self) -> str | None:
        """The page token, if it bears one."""
        return self.request.query_params.get("page_token")

    def faults_of(self, phase: Phase) -> list[Fault]:
        """What goes wrong with it in one phase."""
        return [fault for fault in self.faults if fault.phase is phase]

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ApiProblem: 400, it is not JSON.
        """
        try:
            return msgspec.json.decode(self.body or b"{}")
        except msgspec.DecodeError as error:
            raise ApiProblem(400, "not-json", f"The body is not JSON: {error}.") from None
