"""What a command that an `X_command` setting names prints: a password manager's answer."""

import subprocess
from pathlib import Path
from typing import Any, Final

from zimun_sync.errors import ConfigError

#: Seconds that a command may take: one that asks a person for a passphrase would wait for ever.
SECONDS: Final = 10.0
_MOST_BYTES: Final = 1024 * 1024


def run_for_secret(command: Any, folder: Path, seconds: float = SECONDS) -> str:
    """The command's output without its final line end. No shell reads it, and it gets no input.

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
        ended = subprocess.run(  # noqa: S603 - no shell, and whoever configures us chooses it
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"{words[0]} was not done within {seconds:g} seconds; it has to work without asking"
        ) from None
    except OSError as error:
        raise ConfigError(f"{words[0]} cannot be run ({error.strerror})") from None
    if ended.returncode:
        raise ConfigError(
            f"{words[0]} ended with exit code {ended.returncode}; run it by hand as this user"
        )
    return ended.stdout
