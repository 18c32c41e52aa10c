"""What hooks are called for, read from the stream of events."""

from dataclasses import dataclass
from typing import Final

from zimun_sync.config.serving import HookSettings
from zimun_sync.events import Event, PullFinished, PullStarted, TroubleBegan, TroubleEnded
from zimun_sync.model import from_micros
from zimun_sync.store import Needs, NewCall
from zimun_sync.templates import Fields, Value

#: A pull that ended so calls hooks; an interrupted one goes on later.
_ENDED: Final = ("succeeded", "partial", "failed")
#: Troubles whose subject is one of these, a blank and the source's name, maybe with its stream.
_OF_SOURCES: Final = {"source", "deletions", "inbox", "clock"}
_NOTHING: Final[Fields] = {
    "source": "",
    "reason": "",
    "hint": "",
    "cause": "",
    "records": None,
    "changed": None,
    "seconds": None,
}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happened and that hooks may want to tell.

    Args:
        event: as hooks name it in `on`.
        subject: what it is about, as troubles name it.
        fields: of the templates, all but `event`, `subject`, `hook` and `time`.
    """

    event: str
    subject: str
    fields: Fields

    @property
    def source(self) -> str:
        """The source it is about; empty if it is about none."""
        return str(self.fields["source"])

    @property
    def has_run(self) -> bool:
        """Whether a run ended, whose changes sinks may have to take first."""
        return self.event in _ENDED

    def concerns(self, name: str, hook: HookSettings) -> bool:
        """Whether it calls that hook; a hook is never called about itself."""
        if self.event not in hook.on or self.subject == f"hook {name}":
            return False
        return not (hook.sources and self.source) or self.source in hook.sources

    def call(self, hook: str, needs: Needs, now: int) -> NewCall:
        """The call of that hook; `now`: microseconds since the epoch, UTC."""
        about = {"event": self.event, "subject": self.subject, "hook": hook}
        about["time"] = from_micros(now).isoformat()
        fields = {name: _sendable(value) for name, value in {**self.fields, **about}.items()}
        return NewCall(hook, self.event, fields, needs, now)


def occasion_of(event: Event) -> Occasion | None:
    """What an event is to hooks; None for most."""
    match event:
        case PullStarted(source, cause):
            return _pulled(source, "started", {"status": "running", "cause": cause})
        case PullFinished() if event.status in _ENDED:
            return _pulled(event.source, event.status, _outcome(event))
        case TroubleBegan(subject, reason, hint):
            fields: Fields = {"status": "trouble", "reason": reason, "hint": hint}
            return _trouble("trouble", subject, fields)
        case TroubleEnded(subject, seconds):
            return _trouble("recovered", subject, {"status": "ok", "seconds": round(seconds, 3)})
        case _:
            return None


def _outcome(event: PullFinished) -> Fields:
    return {
        "status": event.status,
        "cause": event.cause,
        "reason": event.reason,
        "hint": event.hint,
        "records": event.records,
        "changed": event.changed,
        "seconds": event.seconds,
    }


def _pulled(source: str, event: str, fields: Fields) -> Occasion:
    return Occasion(event, f"source {source}", {**_NOTHING, **fields, "source": source})


def _trouble(event: str, subject: str, fields: Fields) -> Occasion:
    kind, _, name = subject.partition(" ")
    source = name.partition("/")[0] if kind in _OF_SOURCES else ""
    return Occasion(event, subject, {**_NOTHING, **fields, "source": source})


def _sendable(value: Value) -> Value:
    """Lone halves of characters cannot be encoded and are replaced."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
