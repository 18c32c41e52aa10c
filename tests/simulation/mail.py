"""Events on their way: late, twice, in another order, thin, partial, or never."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from tests.simulation.clock import SimClock
from tests.simulation.profile import Profile
from tests.simulation.records import Content
from zimun_sync.store import Received

_SOURCE = "main"


@dataclass(slots=True)
class Mail:
    """The provider's side of the webhooks: it sends again until somebody says 2xx.

    Args:
        clock: the server's is the one that counts.
        chance: what becomes of an event.
        profile: how often.

    Attributes:
        waiting: sent, and not acknowledged yet.
        unreadable: ids of events that nobody can understand.
        told: what acknowledged events were about, by the appointment's key.
        partial: when the first event that lacks a field was sent, by the appointment's key.
        whole: appointments of acknowledged events that carry all of one, by the event's id.
    """

    clock: SimClock
    chance: Random
    profile: Profile
    waiting: list[Received] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    told: dict[str, list[Content]] = field(default_factory=dict)
    whole: dict[str, Content] = field(default_factory=dict)
    partial: dict[str, float] = field(default_factory=dict)
    _about: dict[str, Content] = field(default_factory=dict)
    _count: int = 0

    def tell(self, kind: str, content: Content) -> None:
        """Send an event of a change, most likely."""
        chance, profile = self.chance, self.profile
        if chance.random() >= profile.hooks or chance.random() < profile.loss:
            return
        self._count += 1
        event_id = f"e_{self._count:04d}"
        body = {"type": kind, "timestamp": self._stamp(), "data": self._data(content)}
        if chance.random() < 0.01:
            self.unreadable.add(event_id)
            body = {"kind": "news"}
        else:
            self._about[event_id] = content
        sent_at = int(self.clock.true * 1e6)
        self.waiting.append(Received(_SOURCE, event_id, sent_at, msgspec.json.encode(body)))

    def _stamp(self) -> str:
        return self.clock.server_now().isoformat(timespec="milliseconds")

    def _data(self, content: Content) -> dict[str, Any]:
        """All of it, its id alone, or a part."""
        if self.chance.random() >= self.profile.thin:
            return content
        if self.chance.random() < 0.5:
            return {"appointment_id": content["appointment_id"]}
        self.partial.setdefault(content["appointment_id"], self.clock.true)
        left_out = self.chance.choice(("contact_name", "price", "status"))
        return {name: value for name, value in content.items() if name != left_out}

    def next(self) -> Received | None:
        """One that waits, in any order; it goes on waiting until it is acknowledged."""
        return self.chance.choice(self.waiting) if self.waiting else None

    def acknowledged(self, event: Received) -> None:
        """It was answered 2xx; now and then the provider does not hear that."""
        if event.event_id in self._about:
            content = self._about[event.event_id]
            key = content["appointment_id"]
            if msgspec.json.encode(content) in event.body and b".deleted" not in event.body:
                self.whole[event.event_id] = content
            self.told.setdefault(key, []).append(content)
        if event in self.waiting and self.chance.random() >= self.profile.twice:
            self.waiting.remove(event)
