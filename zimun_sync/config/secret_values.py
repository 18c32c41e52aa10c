"""Every secret value of a configuration, so that logs can leave them out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from zimun_sync.config.models import Config

_PASSWORD: Final = re.compile(r"://[^/?#\s:@]*:(?P<password>[^\s?#]*)@")
_QUERY: Final = re.compile(r"[?&](?:password|sslpassword|passfile)=(?P<password>[^&\s]+)")


def secrets_of(config: Config) -> list[str]:
    """Secret settings and passwords within addresses, each once, longest first."""
    parts = [config.state, config.sources, config.hooks, config.privacy]
    sinks = [sink.settings for sink in config.sinks.values()]
    found = {secret for secret in _within([parts, sinks]) if secret}
    return sorted(found, key=lambda secret: (-len(secret), secret))


def _within(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield from _of_text(value.get_secret_value())
            yield value.get_secret_value()
        case str():
            yield from _of_text(value)
        case BaseModel():
            for name in type(value).model_fields:
                yield from _within(getattr(value, name))
        case Mapping():
            for each in value.values():
                yield from _within(each)
        case list() | tuple() | set() | frozenset():
            for each in value:
                yield from _within(each)


def _of_text(text: str) -> Iterator[str]:
    """Passwords within an address, as they stand and decoded."""
    for pattern in (_PASSWORD, _QUERY):
        for found in pattern.finditer(text):
            yield found["password"]
            yield unquote(found["password"])
