"""Sends the requests of the settings and tells what an answer says of the call as a whole."""

import re
from collections.abc import Mapping
from typing import Any, Final

from zimun_connectors.http.requests import RequestSettings
from zimun_connectors.http.spelling import OMIT, Spelling, compile_structure
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.calls import Answer, Caller, Request
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.expressions import ExpressionError, compile_expression

_LONGEST = 500
_HINT: Final = "Correct it in the sink's section; docs/connectors/http.md explains each key."


class Expression:
    """An expression on an answer; what the answer lacks counts as nothing.

    Args:
        place: where it stands in the settings.
        text: the expression.
    """

    def __init__(self, place: str, text: str) -> None:
        self._place = place
        self._template = compile_expression(text, strict=False)

    def of(self, names: Mapping[str, Any]) -> Any:
        """Its value.

        Raises:
            SinkBroken: it cannot be computed.
        """
        try:
            return self._template.render(names)
        except ExpressionError as error:
            raise SinkBroken(f"{self._place}: {error}.", hint=_HINT) from None


def expression(place: str, text: str | None) -> Expression | None:
    """An expression that may be left out."""
    return None if text is None else Expression(place, text)


class Reply:
    """An answer and the names that expressions know it by.

    Args:
        answer: as it came.
        constants: of the settings.
    """

    def __init__(self, answer: Answer, constants: Mapping[str, Any]) -> None:
        self.answer = answer
        self._names = {
            "status": answer.status,
            "headers": answer.headers,
            "body": _body(answer),
            "constants": constants,
        }

    @property
    def body(self) -> Any:
        """The body as JSON; None if it is none."""
        return self._names["body"]

    def names(self, **further: Any) -> dict[str, Any]:
        """What expressions know of it."""
        return {**self._names, **further}


def _body(answer: Answer) -> Any:
    if not answer.body.strip():
        return None
    try:
        return answer.json()
    except SinkUnavailable:
        if answer.ok:
            raise
        return None  # an error page; its status and its words are judged


class Step:
    """One request of the settings, ready to be filled in.

    Args:
        place: where it stands in the settings, such as `contact.create`.
        settings: the request.
    """

    def __init__(self, place: str, settings: RequestSettings) -> None:
        self.place = place
        self.settings = settings
        self._path = compile_structure(settings.path, quoted=True)
        self._params = compile_structure(settings.params)
        self._headers = compile_structure(settings.headers)
        self._body = compile_structure(settings.body)
        self._when = None if settings.when is None else compile_expression(settings.when)
        self._keep = {
            name: Expression(f"{place}.keep.{name}", text) for name, text in settings.keep.items()
        }
        self._code = expression(f"{place}.error.code", settings.error.code)
        self._message = expression(f"{place}.error.message", settings.error.message)
        self.success = Expression(f"{place}.success", settings.success)
        self.unavailable = expression(f"{place}.unavailable", settings.unavailable)
        self.broken = expression(f"{place}.broken", settings.broken)
        self.results = expression(f"{place}.results", settings.results)
        self.version = expression(f"{place}.version", settings.version)

    def applies(self, names: Mapping[str, Any]) -> bool:
        """Whether it is to be sent.

        Raises:
            ExpressionError: that cannot be told.
        """
        return self._when is None or bool(self._when.render(names))

    def request(self, names: Mapping[str, Any], spelling: Spelling) -> Request:
        """The request itself.

        Raises:
            ExpressionError: a template cannot be filled in.
        """
        return Request(
            self.settings.method,
            str(self._path(names)),
            params=_texts(spelling.json(self._params(names))),
            json=spelling.json(self._body(names)),
            headers=_texts(spelling.json(self._headers(names))),
            group=self.settings.group,
        )

    def kept(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """What later requests may use of its answer."""
        return {name: each.of(names) for name, each in self._keep.items()}

    def refusal(self, reply: Reply, names: Mapping[str, Any]) -> tuple[str, str]:
        """The code and the message of a refusal, each on one line."""
        code = self._code.of(names) if self._code else None
        message = self._message.of(names) if self._message else None
        said = str(message or reply.answer.remark() or "The system gave no reason.")
        return _word(code) or f"http-{reply.answer.status}", " ".join(said.split())[:_LONGEST]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: _text(value)
        for name, value in values.items()
        if value is not None and value != "" and value is not OMIT
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(code: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(code or "").lower()).strip("-")


class Channel:
    """The way to one system.

    Args:
        caller: sends requests.
        headers: of every request.
        constants: of the settings.
        spelling: of values.
    """

    def __init__(
        self,
        caller: Caller,
        headers: Mapping[str, str],
        constants: Mapping[str, Any],
        spelling: Spelling,
    ) -> None:
        self.caller = caller
        self.constants = constants
        self.spelling = spelling
        self._headers = _texts(compile_structure(headers)({"constants": constants, "omit": OMIT}))
        self._sent = 0

    def begin(self) -> None:
        """A method of the remote was called; what was sent before does not count."""
        self._sent = 0

    def names(self, **further: Any) -> dict[str, Any]:
        """What every template can use."""
        return {"constants": self.constants, "omit": OMIT, **further}

    def send(self, step: Step, request: Request, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request and return what the system says, if it is no trouble of its own.

        Raises:
            SinkUnavailable: not now; `NotSent` only for the first request since `begin`.
            SinkBroken: a person has to act.
        """
        reply = Reply(self._answer(request, headers or {}), self.constants)
        names = reply.names(result=reply.body)
        self.refuse_if_busy(step, reply, names)
        if step.broken and step.broken.of(names) and not step.success.of(names):
            raise SinkBroken(
                f"{step.place}: {self._said(step, reply, names)}",
                hint="Give the account of `auth` the rights that this request needs, or correct "
                "the request.",
            )
        return reply

    def refuse_if_busy(self, step: Step, reply: Reply, names: Mapping[str, Any]) -> None:
        """Judge an answer, or one of its results, by the request's `unavailable`.

        Raises:
            SinkUnavailable: it says: not now.
        """
        if step.unavailable and step.unavailable.of(names):
            raise SinkUnavailable(f"{step.place}: {self._said(step, reply, names)}")

    def _answer(self, request: Request, headers: Mapping[str, str]) -> Answer:
        whole = Request(
            request.method,
            request.path,
            params=request.params,
            json=request.json,
            headers={**self._headers, **request.headers, **headers},
            group=request.group,
        )
        try:
            return self.caller.call(whole)
        except NotSent as error:
            if not self._sent:
                raise
            raise SinkUnavailable(
                error.message, retry_after=error.retry_after, hint=error.hint
            ) from error
        finally:
            self._sent += 1

    def _said(self, step: Step, reply: Reply, names: Mapping[str, Any]) -> str:
        code, message = step.refusal(reply, names)
        settings = step.settings
        return f"{settings.method} {settings.path or '/'} was answered {code}: {message}"
