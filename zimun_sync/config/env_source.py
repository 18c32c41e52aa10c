"""Reading nested settings from environment variables, as pydantic-settings does it."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import create_model
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from zimun_sync.config.environment import DELIMITER, PREFIX, from_json


class _Variables(BaseSettings):
    """Text stays text until the settings' own models read it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER)


class _Source(EnvSettingsSource):
    """Reads given variables rather than the process's own."""

    def __init__(self, variables: Mapping[str, str], settings: type[BaseSettings]) -> None:
        self._variables = variables
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        del field_name, field
        return from_json(value)


def values_of(
    variables: Mapping[str, str], texts: Iterable[str], sections: Iterable[str]
) -> dict[str, Any]:
    """The settings that variables give, nested as in a file.

    Args:
        variables: names and values, as `os.environ` holds them.
        texts: names of settings at the top level that are text whatever they look like.
        sections: names of the others.
    """
    fields: dict[str, Any] = dict.fromkeys(texts, (str | None, None))
    fields |= dict.fromkeys(sections, (Mapping[str, Any] | None, None))
    return _Source(variables, create_model("Variables", __base__=_Variables, **fields))()
