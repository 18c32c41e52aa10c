"""Looking objects up: values in, objects out, over pages and in halves where a batch fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zimun_connectors.http.channel import Channel, Expression, Reply, Step, expression
from zimun_connectors.http.requests import LookupSettings
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.expressions import ExpressionError

_MOST_PAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class Hit:
    """One object that was found.

    Args:
        asked: which of the values looked for it has.
        id: its id.
        version: its revision, if any.
        result: as the answer has it.
        names: what expressions know of the answer and of it.
    """

    asked: str
    id: str
    version: str | None
    result: Any
    names: Mapping[str, Any]


class _Step(Step):
    """A request that looks something up."""

    def __init__(self, place: str, settings: LookupSettings) -> None:
        super().__init__(place, settings)
        self.id = Expression(f"{place}.id", settings.id or "result.id")
        self.none = Expression(f"{place}.none", settings.none)
        self.value = expression(f"{place}.value", settings.value)
        self.next = expression(f"{place}.next", settings.next)
        self.batch = settings.batch


class Lookups:
    """A sequence of requests of which the last one finds objects.

    Args:
        place: where it stands in the settings, such as `contact.find.email`.
        steps: the requests.
        channel: the way to the system.
        by_id: whether the values are ids, so that a result tells by its id what it answers.
    """

    def __init__(
        self,
        place: str,
        steps: Sequence[LookupSettings],
        channel: Channel,
        *,
        by_id: bool = False,
    ) -> None:
        several = len(steps) > 1
        self._steps = [
            _Step(f"{place}[{number}]" if several else place, step)
            for number, step in enumerate(steps)
        ]
        self._channel = channel
        self._by_id = by_id
        self.batch = min((step.batch for step in self._steps), default=1)

    def __bool__(self) -> bool:
        return bool(self._steps)

    def run(self, values: Sequence[str], fields: Sequence[str] = ()) -> Iterator[Hit]:
        """Everything that has one of these values.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a person has to act.
        """
        for start in range(0, len(values), self.batch):
            yield from self._portion(values[start : start + self.batch], list(fields))

    def _portion(self, values: Sequence[str], fields: list[str]) -> Iterator[Hit]:
        names = self._channel.names(values=list(values), names=fields, cursor=None)
        if self.batch == 1:
            names["value"] = values[0]
        for step in self._steps[:-1]:
            if self._applies(step, names):
                reply = self._reply(step, names)
                if reply is None:
                    yield from self._halves(values, fields)
                    return
                names |= step.kept(reply.names(result=reply.body, **self._value(names)))
        yield from self._pages(names, values, fields)

    def _pages(
        self, names: dict[str, Any], values: Sequence[str], fields: list[str]
    ) -> Iterator[Hit]:
        step, seen = self._steps[-1], {None}
        if not self._applies(step, names):
            return
        while len(seen) <= _MOST_PAGES:
            reply = self._reply(step, names)
            if reply is None:
                yield from self._halves(values, fields)
                return
            yield from self._hits(step, reply, values)
            cursor = step.next.of(reply.names()) if step.next else None
            if not cursor:
                return
            if cursor in seen:
                break
            seen.add(cursor)
            names = {**names, "cursor": cursor}
        raise SinkBroken(f"{step.place}: its pages do not end.", hint=f"Correct {step.place}.next.")

    def _halves(self, values: Sequence[str], fields: list[str]) -> Iterator[Hit]:
        """A whole batch is `none` if one of its values is: the others are looked up without."""
        if len(values) > 1:
            middle = len(values) // 2
            yield from self._portion(values[:middle], fields)
            yield from self._portion(values[middle:], fields)

    def _hits(self, step: _Step, reply: Reply, values: Sequence[str]) -> Iterator[Hit]:
        for result in _listed(step, reply):
            names = reply.names(result=result)
            found = step.id.of(names)
            if found is None:
                continue
            version = step.version.of(names) if step.version else None
            yield Hit(
                asked=self._asked(step, names, str(found), values),
                id=str(found),
                version=None if version is None else str(version),
                result=result,
                names=names,
            )

    def _asked(
        self, step: _Step, names: Mapping[str, Any], found: str, values: Sequence[str]
    ) -> str:
        if step.value is not None:
            return str(step.value.of(names) or "")
        return found if self._by_id and self.batch > 1 else values[0]

    def _applies(self, step: _Step, names: Mapping[str, Any]) -> bool:
        try:
            return step.applies(names)
        except ExpressionError as error:
            raise _wrong(step, error) from None

    def _reply(self, step: _Step, names: Mapping[str, Any]) -> Reply | None:
        """What the system says; None if that means: nothing found."""
        try:
            request = step.request(names, self._channel.spelling)
        except ExpressionError as error:
            raise _wrong(step, error) from None
        reply = self._channel.send(step, request)
        known = reply.names(result=reply.body)
        if step.none.of(known):
            return None
        if not step.success.of(known):
            code, message = step.refusal(reply, known)
            raise SinkBroken(
                f"{step.place} was refused, {code}: {message}",
                hint=f"Correct the request; if the answer means that there is nothing, say so in "
                f"{step.place}.none.",
            )
        return reply

    def _value(self, names: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": names["value"]} if "value" in names else {}


def _listed(step: Step, reply: Reply) -> list[Any]:
    if step.results is None:
        whole = reply.body
        return whole if isinstance(whole, list) else [] if whole is None else [whole]
    results = step.results.of(reply.names(result=reply.body))
    match results:
        case None:
            return []
        case Mapping():
            return list(results.values())
        case list():
            return results
    raise SinkBroken(
        f"{step.place}.results is neither a list nor a mapping in the answer.",
        hint=f"Say in {step.place}.results where the answer has what was found.",
    )


def _wrong(step: Step, error: ExpressionError) -> SinkBroken:
    return SinkBroken(f"{step.place}: {error}.", hint="Correct it in the sink's section.")
