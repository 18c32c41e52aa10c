"""Settings from environment variables: `ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE=500`."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from zimun_sync.config.tree import Place

PREFIX: Final = "ZIMUN_SYNC_"
DELIMITER: Final = "__"

#: Names the file to load; not a setting.
FILE_VARIABLE: Final = "ZIMUN_SYNC_CONFIG"

#: What Kubernetes sets in every container beside a service that is called `zimun-sync`.
_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")


class _Variables(BaseSettings):
    """The top level only: text stays text until the settings' own models read it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER)

    state: str | None = None
    state_file: str | None = None
    sources: Mapping[str, Any] | None = None
    sinks: Mapping[str, Any] | None = None
    sync: Mapping[str, Any] | None = None
    deletions: Mapping[str, Any] | None = None
    server: Mapping[str, Any] | None = None
    schedule: Mapping[str, Any] | None = None
    hooks: Mapping[str, Any] | None = None
    alerts: Mapping[str, Any] | None = None
    retention: Mapping[str, Any] | None = None
    log: Mapping[str, Any] | None = None


class _Source(EnvSettingsSource):
    """Reads a given environment rather than the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(_Variables)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        del field_name, field
        return from_json(value)


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
        self.values: dict[str, Any] = _Source(
            {name: environ[name] for name in self._names.values()}
        )()
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
        tops = {PREFIX + name.upper() for name in _Variables.model_fields}
        return [self._names[name] for name in self._names if name.split(DELIMITER)[0] not in tops]

    def guesses(self) -> list[str]:
        """Names that an unknown variable might have meant."""
        return [FILE_VARIABLE, *(PREFIX + name.upper() for name in _Variables.model_fields)]


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
