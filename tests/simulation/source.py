"""The business whose bookings are synced: the truth, how it changes, and what events tell of it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.simulation.clock import SimClock
from tests.simulation.profile import Profile
from tests.simulation.records import (
    ZONES,
    Content,
    booked,
    edited,
    is_readable,
    moved,
    poison,
)

#: Told of a change: the event's type and the appointment as it is now, or was last.
Told = Callable[[str, Content], None]


@dataclass(slots=True)
class Source:
    """One organization's records.

    Args:
        clock: the server's is the one that counts.
        chance: what happens next.
        profile: how exact times are, and how much is unreadable.
        told: told of each change.

    Attributes:
        appointments: those there are, by key.
        gone: the last state of those there were.
        said: every readable state that an appointment ever had, by key.
        stated: every state that it ever had, the deleted ones too.
        touched: when each was changed last, as a number that only grows.
        touched_at: the same in seconds since the epoch.
        past: the appointments before each of the latest changes, the latest last.
        restored_at: when the latest one that had been deleted came back.
        deleted_at: when each that ever was deleted was so last.
        zones: of the locations.
        staff: names by key.
    """

    clock: SimClock
    chance: Random
    profile: Profile
    told: Told
    appointments: dict[str, Content] = field(default_factory=dict)
    gone: dict[str, Content] = field(default_factory=dict)
    said: dict[str, list[Content]] = field(default_factory=dict)
    stated: dict[str, list[Content]] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    touched_at: dict[str, float] = field(default_factory=dict)
    restored_at: float = 0.0
    deleted_at: dict[str, float] = field(default_factory=dict)
    past: deque[dict[str, Content]] = field(default_factory=lambda: deque(maxlen=4))
    zones: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("l_1", "l_2"), ZONES[0]))
    staff: dict[str, str] = field(default_factory=lambda: {f"s_{n}": "Kim" for n in range(4)})
    _changes: int = 0
    _booked: int = 0

    def change(self) -> str:
        """Let something happen; tells what."""
        acts: list[tuple[int, Callable[[], str]]] = [
            (6, self._edit),
            (3, self.book),
            (2, self._cancel),
            (2, self._delete),
            (1, self._undelete),
            (2, self._twice_within_a_second),
        ]
        if self.profile.staff:
            acts.append((1, self._hire_or_fire))
        if self.chance.random() < 0.02:
            acts = [(1, self._move_house)]
        [act] = self.chance.choices([each for _, each in acts], [weight for weight, _ in acts])
        return act()

    def book(self) -> str:
        """A new appointment."""
        self._booked += 1
        key = f"a_{self.chance.randint(0, 999):03d}{self._booked:03d}"
        self._put(key, booked(key, self.chance), "appointment.created")
        return f"{key} is booked"

    def _edit(self) -> str:
        key = self._one()
        change = moved(self.chance) if self.chance.random() < 0.5 else edited(self.chance)
        if self.chance.random() < self.profile.poison:
            change = poison(self.chance)
        return self._apply(key, change, "appointment.updated")

    def _cancel(self) -> str:
        return self._apply(self._one(), {"status": "canceled"}, "appointment.cancelled")

    def _twice_within_a_second(self) -> str:
        first = self._apply(self._one(), edited(self.chance), "appointment.updated")
        key = first.split(" ", 1)[0]
        return f"{first}, and {self._apply(key, edited(self.chance), 'appointment.updated')}"

    def _delete(self) -> str:
        if len(self.appointments) < 2:
            return self.book()
        key = self._one()
        self._remember()
        content = self.gone[key] = self.appointments.pop(key)
        self.touched_at[key] = self.deleted_at[key] = self.clock.true
        self.told("appointment.deleted", content)
        return f"{key} is deleted"

    def _undelete(self) -> str:
        if not self.gone:
            return self._edit()
        key = self.chance.choice(sorted(self.gone))
        content = self.gone.pop(key)
        self.restored_at = self.clock.true
        if self.chance.random() < 0.5:
            content = self._stamped(key, content)
        self._put(key, content, "appointment.created", stamped=False)
        return f"{key} is there again"

    def _hire_or_fire(self) -> str:
        key = self.chance.choice(sorted(self.staff))
        if len(self.staff) > 2 and self.chance.random() < 0.5:
            del self.staff[key]
            return f"{key} has left"
        self.staff[f"s_{len(self.staff) + self._changes + 10}"] = self.chance.choice(("Lo", "Mi"))
        return "somebody was hired"

    def _move_house(self) -> str:
        location = self.chance.choice(sorted(self.zones))
        self.zones[location] = self.chance.choice(ZONES)
        return f"{location} is in {self.zones[location]} now"

    def _one(self) -> str:
        if not self.appointments:
            self.book()
        return self.chance.choice(sorted(self.appointments))

    def _apply(self, key: str, change: Content, kind: str) -> str:
        readable = self.said.get(key)
        # Whoever edits an unreadable record may well mend it.
        base = self.appointments[key]
        if not is_readable(base) and readable:
            base = readable[-1]
        self._put(key, base | change, kind)
        return f"{key} is changed: {change}"

    def _put(self, key: str, content: Content, kind: str, *, stamped: bool = True) -> None:
        self._remember()
        content = self._stamped(key, content) if stamped else content
        self.gone.pop(key, None)
        self.appointments[key] = content
        self.touched[key] = self._changes
        self.touched_at[key] = self.clock.true
        self.stated.setdefault(key, []).append(content)
        if is_readable(content):
            self.said.setdefault(key, []).append(content)
        self.told(kind, content)

    def _remember(self) -> None:
        self._changes += 1
        self.past.append(dict(self.appointments))

    def _stamped(self, key: str, content: Mapping[str, Any]) -> Content:
        """The content with the time of its change, as exact as this API tells it."""
        plain = {name: value for name, value in content.items() if name != "updated_at"}
        stamps = self.profile.stamps
        if stamps == "none" or (stamps == "mixed" and self.chance.random() < 0.4):
            return plain
        moment = self.clock.server_now()
        if self.chance.random() < self.profile.backwards:
            moment -= timedelta(seconds=self.chance.choice((1, 30, 4_000)))
        return plain | {"updated_at": _spelled(moment, exact=stamps != "second")}


def _spelled(moment: datetime, *, exact: bool) -> str:
    return moment.isoformat(timespec="milliseconds" if exact else "seconds")
