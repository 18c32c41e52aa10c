"""Settings from environment variables: `ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE=500`."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from zimun_sync.config.tree import Place

PREFIX: Final = "ZIMUN_SYNC_"
DELIMITER: Final = "__"

#: Names the file to load; not a setting.
FILE_VARIABLE: Final = "ZIMUN_SYNC_CONFIG"

#: What Kubernetes sets in every container beside a service that is called `zimun-sync`.
_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")


#: The settings that variables may give: texts, and sections whole or in part.
_TEXTS = ("state", "state_file")
_SECTIONS = (
    "sources",
    "sinks",
    "sync",
    "deletions",
    "server",
    "schedule",
    "hooks",
    "alerts",
    "retention",
    "privacy",
    "log",
)


def from_json(text: str) -> Any:
    """The list or mapping that a variable holds; any other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (list, dict)) else text


class Environment:
    """The settings that the environment gives.

    Args:
        environ: names and values, as `os.environ` holds them.
        file_values: what the file says; its names tell `main-studio` from `main_studio`.
    """

    def __init__(self, environ: Mapping[str, str], file_values: Mapping[str, Any]) -> None:
        self._names = {name.upper(): name for name in environ if _is_setting(name.upper())}
        self.values = _values({name: environ[name] for name in self._names.values()})
        for group in ("sources", "sinks", "hooks"):
            known = file_values.get(group)
            if isinstance(self.values.get(group), dict) and isinstance(known, dict):
                self.values[group] = _with_dashes(self.values[group], known)

    def variable(self, place: Place) -> str | None:
        """The name of the variable that gave the setting at `place`; None if none did."""
        value: Any = self.values
        for step in place:
            if not isinstance(value, dict):
                break  # JSON text, which gives all of the section
            if step not in value:
                return None
            value = value[step]
        spelt = [PREFIX + spelling(place[:length]) for length in range(len(place), 0, -1)]
        return next((self._names[name] for name in spelt if name in self._names), None)

    def unknown(self) -> list[str]:
        """Variables with our prefix that name no setting."""
        tops = {PREFIX + name.upper() for name in _TEXTS + _SECTIONS}
        return [self._names[name] for name in self._names if name.split(DELIMITER)[0] not in tops]

    def guesses(self) -> list[str]:
        """Names that an unknown variable might have meant."""
        return [FILE_VARIABLE, *(PREFIX + name.upper() for name in _TEXTS + _SECTIONS)]


def _values(variables: Mapping[str, str]) -> dict[str, Any]:
    if not variables:
        return {}
    from zimun_sync.config.env_source import values_of  # takes long to import

    return values_of(variables, _TEXTS, _SECTIONS)


def spelling(place: Place) -> str:
    """How the environment spells a setting, without the prefix."""
    return DELIMITER.join(str(step).upper().replace("-", "_") for step in place)


def _is_setting(name: str) -> bool:
    return (
        name.startswith(PREFIX)
        and name != FILE_VARIABLE
        and not _KUBERNETES.fullmatch(name.removeprefix(PREFIX))
    )


def _with_dashes(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    spelt = {name.replace("-", "_"): name for name in known}
    return {
        name if name in known else spelt.get(name, name): value for name, value in given.items()
    }
