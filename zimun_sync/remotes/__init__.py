"""Sinks for remote systems: CRMs, POSs, clinics' systems, calendars.

A connector implements `Remote` (`contract.py`), takes `RemoteSettings` as its settings and makes
its sink with `remote_sink`. See `docs/connectors/remote-systems.md`.
"""
