"""Hooks: HTTP calls after a run, or when something starts or stops being wrong."""

from zimun_sync.daemon.hooks.hooks import Hooks

__all__ = ["Hooks"]
