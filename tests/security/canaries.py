"""Secrets and personal data that only sinks may show, and where to look for them."""

import os
import stat
from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

#: Someone's own, as the source tells it; each value is found nowhere else.
PERSON: Final = {
    "contact_name": "Kanariana Vogelsang",
    "contact_email": "kanariana.vogelsang@gelb.example",
    "contact_phone": "+4930987654321",
    "notes": "allergisch gegen Hanfsamen",
}
SECRETS: Final = {
    "client secret": "canary-client-secret-1f9a",
    "webhook secret": "whsec_" + b64encode(b"canary webhook secret, 32 bytes!").decode(),
    "database password": "canary-db-p@ss",
    "sink token": "canary-sink-token-77c2",
    "hook path": "canary-hook-path-5d1e",
    "hook header": "canary-hook-header-9b3c",
}


def words() -> dict[str, str]:
    """What must not be found, by what it is; in each spelling that it may be found in."""
    found = {**SECRETS, **{f"person's {name}": value for name, value in PERSON.items()}}
    found |= {"surname": "Vogelsang", "local part": "kanariana.vogelsang", "digits": "30987654321"}
    found["webhook key"] = SECRETS["webhook secret"].removeprefix("whsec_")
    spelt = {f"{name}, in an address": quote(value, safe="") for name, value in found.items()}
    bare = {
        f"{name}, in base64": b64encode(value.encode()).decode() for name, value in found.items()
    }
    return {**found, **spelt, **bare}


def leaks(text: str) -> list[str]:
    """What a text shows that it must not."""
    lower = text.casefold()
    return [name for name, word in words().items() if word.casefold() in lower]


def leaks_of(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The same of many texts, by name; only those that show something."""
    found = {name: leaks(text) for name, text in texts.items()}
    return {name: each for name, each in found.items() if each}


def record(key: str, **changes: Any) -> dict[str, Any]:
    """An appointment of the person's, as the API tells it."""
    return {
        "appointment_id": key,
        "organization_id": "o_morgenlicht",
        "appointment_time": "2026-11-02T09:45:00+01:00",
        "appointment_duration": 45,
        "status": "confirmed",
        "price": {"amount": "19.90", "currency": "EUR"},
        "updated_at": "2026-11-01T00:00:00Z",
        **PERSON,
        **changes,
    }


def family(pid: int) -> Iterator[int]:
    """A process and everything below it, at this moment."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def command_lines(pid: int) -> dict[str, str]:
    """What the process list shows of a process and its children."""
    return {f"process {each}": _shown(each, "cmdline") for each in family(pid)}


def inherited(pid: int) -> dict[str, str]:
    """What the children of a process were given as their environment.

    Until it runs its own program, a child is a copy of its parent: that one is passed over.
    """
    parent = _shown(pid, "cmdline")
    own = [each for each in family(pid) if _shown(each, "cmdline") != parent]
    return {f"child {each}": _shown(each, "environ") for each in own}


def _shown(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it ended meanwhile


def modes_below(folder: Path) -> dict[str, int]:
    """The mode of each file and folder below, by its path from there; links have none."""
    # What a working daemon removes meanwhile, a walk leaves out.
    below = (Path(top, name) for top, *names in os.walk(folder) for name in chain(*names))
    modes = {str(path.relative_to(folder)): _mode(path) for path in below}
    return {name: stat.S_IMODE(mode) for name, mode in modes.items() if not stat.S_ISLNK(mode)}


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return stat.S_IFLNK  # replaced meanwhile: nothing is left that has a mode


def world_readable(folder: Path) -> dict[str, str]:
    """The content of each file that everybody may read."""
    readable = [name for name, mode in modes_below(folder).items() if mode & stat.S_IROTH]
    files = [folder / name for name in readable if (folder / name).is_file()]
    return {str(file): file.read_bytes().decode("latin-1") for file in files}
