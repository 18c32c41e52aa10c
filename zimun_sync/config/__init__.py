"""Typed settings from YAML and environment; an error names file, line, setting and remedy."""

from zimun_sync.config.loading import load
from zimun_sync.config.models import Config, LogSettings, SinkConfig, SourceSettings, SyncSettings
from zimun_sync.config.schema import schema
from zimun_sync.config.secret_values import secrets_of
from zimun_sync.config.showing import show
from zimun_sync.config.starter import starter

__all__ = [
    "Config",
    "LogSettings",
    "SinkConfig",
    "SourceSettings",
    "SyncSettings",
    "load",
    "schema",
    "secrets_of",
    "show",
    "starter",
]
