"""What a command that an `X_command` setting names prints: a password manager's answer."""

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from zimun_sync.errors import ConfigError

#: Seconds that a command may take: one that asks a person for a passphrase would wait for ever.
SECONDS: Final = 10.0
_MOST_BYTES: Final = 1024 * 1024
#: How soon its end is noticed when something that it started keeps its output open.
_LOOK_SECONDS: Final = 0.02


def run_for_secret(command: Any, folder: Path, seconds: float = SECONDS) -> str:
    """The command's output without its final line end. No shell reads it, and it gets no input.

    What it leaves running when it ends, such as a password manager's agent, goes on.

    Args:
        command: what the setting says: the program and its arguments.
        folder: the configuration's folder, where it runs.
        seconds: how long it may take.

    Raises:
        ConfigError: no list of texts, or the command did not give a text; names the program and
            how it ended, and never its arguments, which may be secret, or what it printed.
    """
    words = _words(command)
    output = _output(words, folder, seconds)
    if len(output) > _MOST_BYTES:
        raise ConfigError(f"{words[0]} printed more than 1 MiB, which is no secret")
    try:
        text = output.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{words[0]} printed something that is not UTF-8 text") from None
    if not text:
        raise ConfigError(f"{words[0]} printed nothing; it should print the value")
    return text


def _words(command: Any) -> list[str]:
    if not isinstance(command, list) or not command:
        raise ConfigError('should be a list: a program and its arguments, as ["pass", "show", "x"]')
    for word in command:
        if not isinstance(word, str) or "\0" in word:
            raise ConfigError("should be a list of texts; put numbers in quotation marks")
    if not command[0]:
        raise ConfigError("should begin with the name of a program")
    return command


def _output(words: list[str], folder: Path, seconds: float) -> bytes:
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and whoever configures us chooses it
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # a group of its own, which can be ended as a whole
        )
    except OSError as error:
        raise ConfigError(f"{words[0]} cannot be run ({error.strerror})") from None
    with process:
        try:
            output = _read(process, time.monotonic() + seconds)
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"{words[0]} was not done within {seconds:g} seconds; it has to work without asking"
            ) from None
        finally:
            _end(process)
    if process.returncode and len(output) <= _MOST_BYTES:
        raise ConfigError(
            f"{words[0]} ended with exit code {process.returncode}; run it by hand as this user"
        )
    return output


def _read(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """What the command itself prints: its end counts, not that of what it left running.

    Returns:
        All of it, or one byte more than may be.

    Raises:
        subprocess.TimeoutExpired: it goes on past the deadline, by the monotonic clock.
    """
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    output = b""
    while len(output) <= _MOST_BYTES:
        ended = process.poll() is not None  # asked first: what it printed is in the pipe by then
        part = _part(pipe, _MOST_BYTES + 1 - len(output))
        output += part or b""
        if part == b"":
            process.wait(max(0.0, deadline - time.monotonic()))
        if part == b"" or (ended and part is None):
            break
        if time.monotonic() >= deadline:
            raise subprocess.TimeoutExpired(process.args, 0)
        if part is None:
            select.select([pipe], [], [], _LOOK_SECONDS)
    return output


def _part(pipe: int, most: int) -> bytes | None:
    """What is in the pipe; nothing at its end, and None as long as it may come."""
    try:
        return os.read(pipe, most)
    except BlockingIOError:
        return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command that goes on, and all that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
