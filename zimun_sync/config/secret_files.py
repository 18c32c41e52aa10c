"""Settings that tell where a value is read from, and the file that `X_file` names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from zimun_sync.errors import ConfigError

#: Endings of such settings.
WAYS: Final = ("file", "command")

_MOST_BYTES: Final = 1024 * 1024


def is_rival(key: str, given: Mapping[str, Any]) -> bool:
    """Whether one of these settings gives the same value in another way."""
    name, _, way = key.rpartition("_")
    name = name if way in WAYS else key
    others = {name, *(f"{name}_{each}" for each in WAYS)} - {key}
    return key not in given and not others.isdisjoint(given)


def read_secret(path: Any, folder: Path) -> str:
    """The file's text without its final line end.

    Args:
        path: what the setting says; relative to `folder`.
        folder: the configuration's folder.

    Raises:
        ConfigError: not a path, or not a readable file with text in it.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError("should be the path of a file")
    file = folder / path
    text = _decoded(_content(file), file).removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError(f"{file} is empty; write the value into it")
    return text


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{file} is larger than 1 MiB, so it holds no secret")
    return content


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text") from None
