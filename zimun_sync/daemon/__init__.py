"""The daemon: one process that pulls, takes webhooks and delivers, for months."""

from zimun_sync.daemon.daemon import Daemon

__all__ = ["Daemon"]
