"""Processes that die in the midst of a delivery, once at each moment that there is.

`python -m zimun_sync.testing.remotes.child FILE CLASS FOLDER ADDRESS` loads the contract class
from its file and lets one process after the other deliver a booking, and then a change of it,
to the system at that address. The first is killed before its first write to the sink's memory,
the second before its second, and so on, until one lives to the end. Each has a state of its own,
in a folder named by the number that is printed when it has ended.
"""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from zimun_sync.ids import Memory
from zimun_sync.testing.remotes.harness import RemoteHarness
from zimun_sync.testing.remotes.rig import RemoteRig

#: What writes to the memory. Between two of them at most one call is made there.
_WRITES: Final = frozenset({"claim", "save", "spend"})


class Mortal:
    """A memory whose process dies before a certain write.

    Args:
        memory: the sink's.
        left: is told of each write, and ends the process when its time has come.
    """

    def __init__(self, memory: Memory, left: Callable[[], None]) -> None:
        self._memory = memory
        self._left = left

    def __getattr__(self, name: str) -> Any:
        if name in _WRITES:
            self._left()
        return getattr(self._memory, name)


def lifetime(writes: int) -> Callable[[], None]:
    """Something that kills this process when it is called for that number of times."""
    numbers = count(1)

    def called() -> None:
        if next(numbers) == writes:
            os.kill(os.getpid(), signal.SIGKILL)

    return called


def before(rig: RemoteRig, number: int) -> None:
    """A booking."""
    rig.book(number)
    rig.sync()


def after(rig: RemoteRig, number: int) -> None:
    """Another person takes it over, at another time."""
    rig.book(
        number,
        contact_name=f"Other {number}",
        contact_email=f"other{number}@example.com",
        contact_phone=f"+43661{1_000_000 + number}",
        appointment_time=f"2031-04-{1 + number % 28:02}T09:45:00+02:00",
    )
    rig.sync()


def _live(harness: RemoteHarness, folder: Path, number: int) -> None:
    folder.mkdir()
    called = lifetime(number)
    with RemoteRig(folder, harness, lambda memory: Mortal(memory, called)) as rig:
        rig.start()
        before(rig, number)
        after(rig, number)


def _warm_up(harness: RemoteHarness, folder: Path) -> None:
    """Import and compile here what each process would else for itself; nothing is delivered."""
    folder.mkdir()
    with RemoteRig(folder, harness) as rig:
        rig.start()
        rig.book(1)
        rig.pull()


def _lives_to_the_end(contract: Any, folder: Path, address: str, number: int) -> bool:
    """Whether a process came to its end before its death."""
    process = os.fork()  # much faster than a new interpreter, and nothing has threads yet
    if process == 0:
        _live(contract.harness(folder, address), folder / str(number), number)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"the process of moment {number} failed")
    return os.WIFEXITED(status)


def _load(file: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location("contract_under_test", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def main(file: str, name: str, folder: str, address: str) -> None:
    """Let them die, one after the other."""
    contract = _load(file, name)()
    with closing(contract.harness(Path(folder), address)) as harness:
        _warm_up(harness, Path(folder) / "warm")
    for number in count(1):
        lived = _lives_to_the_end(contract, Path(folder), address, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if lived:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
