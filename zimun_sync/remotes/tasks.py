"""An object to bring about in a remote system, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import quote, unquote

from zimun_sync.ids import IdState, Known
from zimun_sync.remotes.contract import Item, Refused
from zimun_sync.remotes.planning import Wanted

#: In `Known.sent` of an appointment that was cancelled by a call of its own.
CANCELLED: Final = "@cancelled"
#: Its values: the call was about to be made, and it was made.
ABOUT, DONE = "about", "done"
#: In `Known.sent` of an appointment that was about to be taken away.
ARCHIVING: Final = "@archiving"
#: In `Known.sent`: a person was told that its create may have arrived, and can see to it.
MAYBE: Final = "@maybe"
#: In `Known.sent` of a contact that this sink created.
MADE: Final = "@made"
#: In `Known.sent`: ids of contacts that it was about to be tied to.
TYING: Final = "@tying"


class Standing(Enum):
    """What a task came to."""

    WRITTEN = auto()
    UNCHANGED = auto()
    AGAIN = auto()  #: something was mended: look at it once more


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing is to be done there. `why`: for people, the same for all of a kind."""

    why: str


Result = Standing | Skipped | Refused


@dataclass(frozen=True, slots=True)
class Task:
    """An object to bring about.

    Args:
        key: our key.
        run_id: the run that wants it.
        wanted: what it should hold.
        names: what templates of the remote itself may use.
        base: what to remember of it beside what writing tells.
        before: what is remembered of it.
        contact_id: of an appointment, its contact's remote id.
        everything: write every field, whatever was written before.
        sought: whether nothing of it is there: a look-up that sees everything has just not
            found it, or a person has seen to it.
    """

    key: str
    run_id: str
    wanted: Wanted
    names: Mapping[str, Any]
    base: Known
    before: Known | None
    contact_id: str | None = None
    everything: bool = False
    sought: bool = False

    @property
    def relinks(self) -> bool:
        """Whether it is tied to another contact than before, or may be after a crash."""
        return not is_tied(self.base, self.contact_id)

    def item(self, fields: Mapping[str, Any]) -> Item:
        """What the remote is given."""
        base = self.base
        return Item(
            key=self.key,
            fields=fields,
            id=base.remote_id,
            version=base.version,
            contact_id=self.contact_id,
            retied=self.relinks,
            token=base.token,
            row=self.names,
        )


def linked(base: Known, remote_id: str, version: str | None) -> Known:
    """An object that is there; of its fields only what a create of ours may have written."""
    sent = base.sent if base.state is IdState.INTENDED else {}
    return replace(
        base, state=IdState.LINKED, remote_id=remote_id, version=version, sent=sent, token=""
    )


def not_there(base: Known) -> Known:
    """An object that is not there, and may be created."""
    return replace(
        base,
        state=IdState.ABSENT,
        remote_id=None,
        version=None,
        sent={},
        token="",
        linked_to=None,
    )


def ties(entry: Known) -> set[str]:
    """Remote ids of contacts that it is tied to, or may be after a crash."""
    return only(entry.linked_to) | _tying(entry)


def _tying(entry: Known) -> set[str]:
    return {unquote(each) for each in entry.sent.get(TYING, "").split()}


def is_tied(entry: Known, contact_id: str | None) -> bool:
    """Whether it is known for sure to be tied to that contact, or to nobody."""
    return TYING not in entry.sent and entry.linked_to == contact_id


def only(contact_id: str | None) -> set[str]:
    """The one contact, if there is one."""
    return set() if contact_id is None else {contact_id}


def about_to_tie(entry: Known, contact_id: str | None) -> Known:
    """The entry, with the contact that it is about to be tied to."""
    about = {*_tying(entry), *only(contact_id)} - only(entry.linked_to)
    if not about:
        return entry
    return replace(
        entry, sent={**entry.sent, TYING: " ".join(sorted(quote(each, safe="") for each in about))}
    )


def without(entry: Known, *names: str) -> Known:
    """The entry without some of its digests."""
    return replace(
        entry, sent={name: value for name, value in entry.sent.items() if name not in names}
    )
