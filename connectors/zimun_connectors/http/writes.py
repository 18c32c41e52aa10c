"""Writing objects: a sequence of requests, in batches or one by one, with an outcome a row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zimun_connectors.http.channel import Channel, Expression, Reply, Step, expression
from zimun_connectors.http.requests import WriteSettings
from zimun_connectors.http.spelling import Filler, compile_structure
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.calls import Request
from zimun_sync.remotes.contract import Done, Exists, Gone, Outcome, Refused, Stale
from zimun_sync.remotes.expressions import ExpressionError, Template, compile_expression

_GONE: Final = "status in (404, 410)"
_MISSING: Final = object()


@dataclass(slots=True)
class Work:
    """One row on its way through the requests.

    Args:
        key: our key.
        names: what templates can use; grows with what requests keep.
        token: idempotency token of a create.
        row: what stands for it in a batch, once rendered.
        match: by what it finds its result, once rendered.
        outcome: what became of it; None while it is under way.
    """

    key: str
    names: dict[str, Any]
    token: str = ""
    row: Any = None
    match: str = ""
    outcome: Outcome | None = None

    def refuse(self, error: ExpressionError) -> None:
        """A template cannot be filled in for it."""
        self.outcome = Refused(self.key, "template", str(error))


class _Step(Step):
    """A request that writes."""

    def __init__(self, place: str, settings: WriteSettings, *, creates: bool, last: bool) -> None:
        super().__init__(place, settings)
        gone = settings.gone or (None if creates else _GONE)
        own_id = settings.id or ("result.id" if creates and last else None)
        self.batch = settings.batch
        self.row: Filler = compile_structure(settings.row)
        self.id = expression(f"{place}.id", own_id)
        self.match: Template | None = (
            None if settings.match is None else compile_expression(settings.match)
        )
        self.matched = expression(f"{place}.matched", settings.matched)
        self.failed = expression(f"{place}.failed", settings.failed)
        self.gone = expression(f"{place}.gone", gone)
        self.stale = expression(f"{place}.stale", settings.stale)
        self.exists = expression(f"{place}.exists", settings.exists)
        self.existing_id = expression(f"{place}.existing_id", settings.existing_id)


class Writes:
    """A sequence of requests that brings rows about.

    Args:
        place: where it stands in the settings, such as `appointment.create`.
        steps: the requests.
        channel: the way to the system.
        creates: whether it makes new objects, and so has to learn their ids.
        token_header: header that carries a row's token, if any.
    """

    def __init__(
        self,
        place: str,
        steps: Sequence[WriteSettings],
        channel: Channel,
        *,
        creates: bool = False,
        token_header: str | None = None,
    ) -> None:
        several = len(steps) > 1
        # The id is that of the last request unless another one says where it has it.
        told = any(step.id is not None for step in steps)
        self._steps = [
            _Step(
                f"{place}[{number}]" if several else place,
                step,
                creates=creates,
                last=not told and number == len(steps) - 1,
            )
            for number, step in enumerate(steps)
        ]
        self._place = place
        self._channel = channel
        self._token_header = token_header

    def run(self, works: Sequence[Work]) -> list[Outcome]:
        """The outcome of every row.

        Raises:
            SinkUnavailable: not now; what was written is not known.
            SinkBroken: a person has to act.
        """
        for number, step in enumerate(self._steps):
            ready = [work for work in works if self._is_ready(step, work)]
            for start in range(0, len(ready), step.batch):
                self._send(step, number, ready[start : start + step.batch])
        return [work.outcome or self._done(work) for work in works]

    def _done(self, work: Work) -> Done:
        if work.names.get("id") is None:
            raise SinkBroken(
                f"{self._place}: the answer has no id.",
                hint=f"Say in {self._place}.id where the answer has it.",
            )
        version = work.names.get("version")
        return Done(work.key, str(work.names["id"]), None if version is None else str(version))

    def _is_ready(self, step: _Step, work: Work) -> bool:
        if work.outcome is not None:
            return False
        try:
            if not step.applies(work.names):
                return False
            work.row = step.row(work.names)
            work.match = str(step.match.render(work.names)) if step.match else work.key
        except ExpressionError as error:
            work.refuse(error)
            return False
        return True

    # -- one request ------------------------------------------------------------------------

    def _send(self, step: _Step, number: int, works: Sequence[Work]) -> None:
        request = self._request(step, works)
        if request is None:
            return
        reply = self._channel.send(step, request, self._headers(step, number, works[0]))
        succeeded = bool(step.success.of(reply.names(result=reply.body)))
        if not succeeded and len(works) > 1:
            # Refused as a whole: nothing of it was written, and its halves tell which row it was.
            middle = len(works) // 2
            self._send(step, number, works[:middle])
            self._send(step, number, works[middle:])
            return
        for work, result in self._paired(step, reply, works, succeeded):
            self._judge(step, reply, work, result, succeeded=succeeded)

    def _request(self, step: _Step, works: Sequence[Work]) -> Request | None:
        if step.batch > 1:
            rows, items = [work.row for work in works], [work.names for work in works]
            names = self._channel.names(rows=rows, items=items)
        else:
            names = works[0].names
        try:
            return step.request(names, self._channel.spelling)
        except ExpressionError as error:
            for work in works:
                work.refuse(error)
            return None

    def _headers(self, step: _Step, number: int, work: Work) -> Mapping[str, str]:
        if self._token_header is None or step.batch > 1 or not work.token:
            return {}
        # Systems refuse one key for two different requests.
        return {self._token_header: f"{work.token}-{number}" if number else work.token}

    # -- its answer -------------------------------------------------------------------------

    def _paired(
        self, step: _Step, reply: Reply, works: Sequence[Work], succeeded: bool
    ) -> Iterator[tuple[Work, Any]]:
        results = step.results.of(reply.names(result=reply.body)) if step.results else reply.body
        if not succeeded or (step.batch == 1 and step.results is None):
            yield works[0], reply.body
        elif isinstance(results, list) and step.matched is None:
            yield from zip(works, self._in_order(step, results, works), strict=True)
        elif isinstance(results, list):
            by_name = {self._matched(step, reply, each): each for each in results}
            yield from ((work, by_name.get(work.match, _MISSING)) for work in works)
        elif isinstance(results, Mapping) and step.match is not None:
            yield from ((work, results.get(work.match, _MISSING)) for work in works)
        else:
            yield from ((work, results) for work in works)

    def _in_order(self, step: _Step, results: list[Any], works: Sequence[Work]) -> list[Any]:
        if len(results) != len(works):
            raise SinkBroken(
                f"{step.place}: the answer has {len(results)} results for {len(works)} rows.",
                hint=f"Correct {step.place}.results, or say with `match` and `matched` which "
                "result is whose.",
            )
        return results

    def _matched(self, step: _Step, reply: Reply, result: Any) -> str:
        return str(step.matched.of(reply.names(result=result))) if step.matched else ""

    def _judge(
        self, step: _Step, reply: Reply, work: Work, result: Any, *, succeeded: bool
    ) -> None:
        there = result is not _MISSING
        names = reply.names(result=result if there else None, item=work.names)
        if not there and not _holds(step.gone, names):
            work.outcome = Refused(work.key, "no-result", "The answer has no result for it.")
            return
        self._channel.refuse_if_busy(step, reply, names)
        work.outcome = _outcome(step, reply, work, names, succeeded=succeeded)
        if work.outcome is not None:
            return
        if step.id is not None:
            work.names["id"] = step.id.of(names)
        if step.version is not None:
            work.names["version"] = step.version.of(names)
        work.names |= step.kept(names)


def _outcome(
    step: _Step, reply: Reply, work: Work, names: Mapping[str, Any], *, succeeded: bool
) -> Outcome | None:
    """What an answer makes of a row; None: it is written."""
    if _holds(step.gone, names):
        return Gone(work.key)
    if _holds(step.stale, names):
        return Stale(work.key)
    if _holds(step.exists, names):
        existing = step.existing_id.of(names) if step.existing_id else None
        return Exists(work.key, None if existing is None else str(existing))
    if not succeeded or _holds(step.failed, names):
        return Refused(work.key, *step.refusal(reply, names))
    return None


def _holds(condition: Expression | None, names: Mapping[str, Any]) -> bool:
    return condition is not None and bool(condition.of(names))
