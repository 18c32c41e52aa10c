"""The configuration in effect, as a file would have it."""

from typing import Any

import yaml
from pydantic import BaseModel

from zimun_sync.config.models import Config, SinkConfig
from zimun_sync.config.variables import escape
from zimun_sync.config.wording import mask_address


def show(config: Config) -> str:
    """Every setting in effect, defaults included, as YAML; secrets are masked."""
    values = {
        "state": config.state,
        "sources": {name: _values(source) for name, source in config.sources.items()},
        "sinks": {name: _sink(sink) for name, sink in config.sinks.items()},
        "sync": _values(config.sync),
        "deletions": _values(config.deletions),
        "server": _values(config.server),
        "schedule": _values(config.schedule),
        "hooks": {name: _values(hook) for name, hook in config.hooks.items()},
        "alerts": _values(config.alerts),
        "retention": _values(config.retention),
        "privacy": _values(config.privacy),
        "log": _values(config.log),
    }
    return yaml.safe_dump(_spelt(values), sort_keys=False, allow_unicode=True, width=100)


def _sink(sink: SinkConfig) -> dict[str, Any]:
    hidden = {"privacy": _values(sink.privacy)}
    return {"type": sink.connector.name} | _values(sink.settings) | hidden


def _values(settings: BaseModel) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)


def _spelt(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelt(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelt(item) for item in value]
    return escape(mask_address(value)) if isinstance(value, str) else value
